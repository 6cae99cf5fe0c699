"""What is told of Redis when it refuses, or cannot be reached: where it is, its own words, and what to do."""

from typing import Final

from emotional_ai_service.stores.base import StoreUnavailable, StoreUncertain
from emotional_ai_service.stores.redis_address import RedisAddress

_ADVICE: Final = {
    "OOM": "raise its maxmemory, or delete sessions",
    "MISCONF": "make room on its disk, or mend what fails there",
    "READONLY": "it is a replica now: name the primary",
    "NOPERM": "its user needs all commands on the keys and channels ea:*",
}
"""What to do about a refusal, by the code it begins with."""


def refused(address: RedisAddress, words: str) -> StoreUnavailable:
    """Redis answered with an error."""
    advice = next((advice for code, advice in _ADVICE.items() if words.startswith(code)), "its log may say more")
    return StoreUnavailable(f"Redis at {address} refuses: {words.rstrip('. ')}. Nothing was kept; {advice}")


def unreachable(address: RedisAddress, why: str) -> StoreUnavailable:
    """An operation was not sent in time."""
    return StoreUnavailable(
        f"Redis at {address} cannot be reached: {why}. Nothing was kept; see that it runs and that the network lets this "
        "machine through"
    )


def uncertain(address: RedisAddress, session_id: str, why: str) -> StoreUncertain:
    """A write was sent, and nobody could be asked in time what became of it."""
    return StoreUncertain(
        f"the connection to Redis at {address} was lost in the middle of a write to session {session_id!r}, and could not "
        f"be made again in time: {why}. The write may have been applied: send it again with the same request id, and it is "
        "applied once"
    )
