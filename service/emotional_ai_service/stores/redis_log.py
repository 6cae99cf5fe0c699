"""Records of a session out of its stream, and the one a trimmed log begins with."""

from dataclasses import dataclass
from typing import Final

from emotional_ai_service.stores.base import Record
from emotional_ai_service.stores.redis_connection import Command, Reply
from emotional_ai_service.stores.redis_operations import Ask
from emotional_ai_service.stores.redis_scripts import key

PAGE: Final = 2_000
"""Records asked for at a time: Redis serves nobody else while it gathers them."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records as of one moment."""

    token: bytes | None
    """Of the session they are of; None if there is none."""
    records: list[Record]


def page_after(session_id: str, after_sequence: int, count: int) -> Ask[Page | None]:
    """Asks for up to `count` records after `after_sequence`; the answer is None if the log was trimmed or deleted meanwhile."""
    # Asked before and after, for a transaction is refused while memory is full, and a script is slow with so much to tell.
    around: list[Command] = [
        ("HGET", key(session_id, "head"), "token"),
        ("HMGET", key(session_id, "first"), "sequence", "time", "payload"),
    ]
    entries: Command = ("XRANGE", key(session_id, "log"), f"{after_sequence + 1}-0", "+", "COUNT", count)

    def meaning(replies: list[Reply]) -> Page | None:
        token, (sequence, time_us, payload) = replies[:2]
        if replies[:2] != replies[3:]:
            return None
        records = [_record(entry) for entry in replies[2]]
        if sequence is not None and int(sequence) > after_sequence:
            records.insert(0, Record(int(sequence), int(time_us), payload))
        return Page(token, records[:count])

    return Ask([*around, entries, *around], meaning)


def _record(entry: Reply) -> Record:
    name, fields = entry
    return Record(int(name.partition(b"-")[0]), int(fields[1]), fields[3])
