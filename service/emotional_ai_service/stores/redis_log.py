"""Records of a session out of its stream, and the one a trimmed log begins with."""

from typing import Final

from emotional_ai_service.stores.base import Record
from emotional_ai_service.stores.redis_connection import Command, Reply
from emotional_ai_service.stores.redis_operations import Ask
from emotional_ai_service.stores.redis_scripts import key

PAGE: Final = 2_000
"""Records asked for at a time: Redis serves nobody else while it gathers them."""


def page_after(session_id: str, after_sequence: int, count: int) -> Ask[tuple[bytes | None, list[Record]]]:
    """Asks for up to `count` records after `after_sequence`, and the token of the session they are of, as of one moment."""
    commands: list[Command] = [
        ("MULTI",),
        ("HGET", key(session_id, "head"), "token"),
        ("HMGET", key(session_id, "first"), "sequence", "time", "payload"),
        ("XRANGE", key(session_id, "log"), f"{after_sequence + 1}-0", "+", "COUNT", count),
        ("EXEC",),
    ]

    def meaning(replies: list[Reply]) -> tuple[bytes | None, list[Record]]:
        token, (sequence, time_us, payload), entries = replies[-1]
        records = [_record(entry) for entry in entries]
        if sequence is not None and int(sequence) > after_sequence:
            records.insert(0, Record(int(sequence), int(time_us), payload))
        return token, records[:count]

    return Ask(commands, meaning)


def _record(entry: Reply) -> Record:
    name, fields = entry
    return Record(int(name.partition(b"-")[0]), int(fields[1]), fields[3])
