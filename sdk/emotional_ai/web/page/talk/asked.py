"""What a page asks of a conversation, as it comes from the browser: anything at all, until it is read here."""

from dataclasses import dataclass

from emotional_ai.limits import GREATEST_SEED, LONGEST_TEXT, MOST_TOKENS
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai.v1.inference_pb2 import Sampling
from emotional_ai.web.conversation import Supposed


@dataclass(frozen=True, slots=True)
class Asked:
    """Something to say, and how."""

    text: str
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Again:
    """A turn to be answered in another state."""

    number: int
    supposed: Supposed
    sampling: Sampling


def asked(given: object) -> Asked:
    """Reads what is to be said. Raises ValueError, saying what is allowed."""
    text = _field(given, "text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("write something to say first")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"the message has {len(text)} characters; at most {LONGEST_TEXT} are allowed")
    if any("\ud800" <= mark <= "\udfff" for mark in text):
        raise ValueError("the message holds half of a character; write it again")
    return Asked(text, sampling(given))


def again(given: object) -> Again:
    """Reads which turn is to be answered again, and in what state. Raises ValueError, saying what is allowed."""
    number, name = _field(given, "number"), _field(given, "name")
    if not isinstance(number, int) or not isinstance(name, str):
        raise ValueError("name a turn by its number, and a state by its name")
    levels = {chemical: _level(_field(given, "levels"), chemical) for chemical in CHEMICALS}
    return Again(number, Supposed(name[:128], Chemistry(**levels)), sampling(given))


def sampling(given: object) -> Sampling:
    """Reads seed and most tokens; unset where their fields are empty. Raises ValueError, saying what is allowed."""
    return Sampling(
        seed=_whole(_field(given, "seed"), "the seed", 0, GREATEST_SEED),
        max_tokens=_whole(_field(given, "max_tokens"), "most tokens", 1, MOST_TOKENS),
    )


def _field(given: object, name: str) -> object:
    return given.get(name) if isinstance(given, dict) else None


def _whole(value: object, what: str, least: int, greatest: int) -> int | None:
    written = "" if value is None else str(value).strip()
    if not written:
        return None
    number = int(written) if written.isascii() and written.isdigit() and len(written) <= 20 else -1
    if not least <= number <= greatest:
        raise ValueError(f"{what} is a whole number from {least} to {greatest}; leave it empty for the service's own")
    return number


def _level(levels: object, name: str) -> float:
    value = _field(levels, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name} is a number from 0 to 1")
    return float(value)
