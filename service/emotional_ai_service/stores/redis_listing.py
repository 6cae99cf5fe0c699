"""Sessions in order of id, out of an index in several parts, none of which a cluster need keep beside another.

Each part names its sessions in order. A page is made of the beginnings of all parts, up to the first name at which a part was
cut short; an entry counts only if the session carries its token.
"""

from collections.abc import Sequence
from typing import Final

from emotional_ai_service.stores.base import SessionRow
from emotional_ai_service.stores.redis_connection import Command, Reply
from emotional_ai_service.stores.redis_entry import Entry
from emotional_ai_service.stores.redis_operations import Ask
from emotional_ai_service.stores.redis_scripts import SHARDS, key, shard, shard_key

LEAST: Final = 16
"""Names asked of a part at least."""


def beyond(session_id: str) -> str:
    """Where the entries of all ids that come after `session_id` begin."""
    return f"[{session_id}\1" if session_id else "-"


def entries_after(start: str, limit: int) -> Ask[tuple[list[Entry], bool]]:
    """Asks for up to `limit` entries from `start` on, one at least if there is any, and whether there may be more."""
    each = max(LEAST, 2 * limit // SHARDS)
    commands: list[Command] = [
        ("ZRANGE", shard_key(number), start, "+", "BYLEX", "LIMIT", 0, each) for number in range(SHARDS)
    ]

    def meaning(replies: list[Reply]) -> tuple[list[Entry], bool]:
        parts = [[_entry(name) for name in reply] for reply in replies]
        cut = min((part[-1] for part in parts if len(part) == each), default=None)
        found = sorted(entry for part in parts for entry in part if cut is None or entry <= cut)
        return found[:limit], cut is not None or len(found) > limit

    return Ask(commands, meaning)


def rows_of(entries: Sequence[Entry]) -> Ask[list[SessionRow | None]]:
    """Asks for the row of each entry; None where the session of that token is not there."""
    fields = ("token", "created", "updated", "version")
    commands: list[Command] = [("HMGET", key(entry.session_id, "head"), *fields) for entry in entries]
    return Ask(commands, lambda replies: [_row(entry, reply) for entry, reply in zip(entries, replies, strict=True)])


def within(entry: Entry) -> Ask[None]:
    """Puts an entry into the index; safe to repeat."""
    return Ask([("ZADD", shard(entry.session_id), 0, entry.name)], lambda _: None)


def without(entries: Sequence[Entry]) -> Ask[None]:
    """Takes entries out of the index; safe to repeat."""
    return Ask([("ZREM", shard(entry.session_id), entry.name) for entry in entries], lambda _: None)


def _entry(name: bytes) -> Entry:
    session_id, _, token = name.decode().rpartition("\0")
    return Entry(session_id, token)


def _row(entry: Entry, reply: Reply) -> SessionRow | None:
    token, created, updated, version = reply
    if token is None or token.decode() != entry.token:
        return None
    return SessionRow(entry.session_id, int(created), int(updated), int(version))
