"""What is asked of Redis: commands, what their replies mean, and what became of a write whose reply was lost."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar, final

import hiredis

from emotional_ai_service.stores.base import (
    AlreadyExists,
    NotFound,
    Record,
    StoreUnavailable,
    StoreUncertain,
    VersionConflict,
)
from emotional_ai_service.stores.redis_connection import Command, Reply
from emotional_ai_service.stores.redis_entry import Entry
from emotional_ai_service.stores.redis_scripts import (
    ABSENT,
    APPEND,
    DELETE,
    FENCED,
    NOTE,
    PUT_SNAPSHOT,
    SETTLE,
    TRIM,
    Script,
    key,
    shard,
)

T = TypeVar("T")
_OK = b"OK"
_TRIMMED = (
    "the connection to Redis was lost in the middle of a write to session {!r}, whose log has been trimmed since: it may have "
    "been applied. Read the state before you send it again"
)


class Operation(ABC, Generic[T]):
    """Something asked of Redis; its future ends with the result, or a StoreError."""

    writes: ClassVar[bool] = True
    """Whether it changes a session: sent twice it might be applied twice."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.future: asyncio.Future[T]
        self.deadline = 0.0
        """When it fails if Redis cannot be reached, in seconds of the event loop's clock."""
        self.stamp = 0
        """Of the last time it was sent."""
        self.replies = 1
        """How many replies its commands have."""

    @abstractmethod
    def commands(self) -> list[Command]:
        """What is sent, under `stamp`."""

    def refusal(self, replies: list[Reply]) -> hiredis.ReplyError | None:
        """The reply that says nothing was done."""
        return next((reply for reply in replies if isinstance(reply, hiredis.ReplyError)), None)

    @abstractmethod
    def result(self, replies: list[Reply]) -> T:
        """What the replies mean, where none is a refusal. Raises StoreError for what a script would not do."""

    def inquiry(self) -> Command:
        """Makes sure that what was sent under `stamp` is never applied from now on, and asks whether it was."""
        keys = [key(self.session_id, part) for part in ("fence", "head", "log")]
        return _evaluated(SETTLE, keys, self.stamp, "")

    def answered(self, reply: Reply) -> bool:  # noqa: ARG002
        """Takes what an inquiry found out; True if the operation is to be sent again."""
        return True

    def succeed(self, result: T) -> None:
        """Ends it with a result."""
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Ends it with an error."""
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # Marks it as seen: snapshots may be left alone, and others are awaited.


@final
class Append(Operation[None]):
    """Records to add to a session at `expected` version; `begins` is the entry of a session that is to begin.

    One that goes on must have been created at `created_us`, if given.
    """

    def __init__(
        self,
        session_id: str,
        expected: int,
        records: Sequence[Record],
        request_id: str,
        marks: Mapping[str, int],
        created_us: int | None = None,
        begins: Entry | None = None,
    ) -> None:
        super().__init__(session_id)
        self._expected, self._records, self._request_id = expected, records, request_id
        self._marks, self._begins = marks, begins
        self._created = "" if created_us is None else created_us
        self.replies = 2 if begins else 1
        self.unlisted = False
        """Whether it has begun a session that Redis would not take into the index at that moment."""

    def commands(self) -> list[Command]:
        """As Operation; a beginning is put into the index first, so that no session is missing there."""
        begins, marks = self._begins, _flat(self._marks)
        keys = [key(self.session_id, part) for part in ("fence", "head", "log", "requests", "marks")]
        before, life = self._records[0].sequence - 1, begins.token if begins else self._created
        beside = (self.stamp, self._expected, before, self._request_id, life, len(marks))
        records = [value for record in self._records for value in (record.time_us, record.payload)]
        appending = _evaluated(APPEND, keys, *beside, *marks, *records)
        return [("ZADD", shard(self.session_id), 0, begins.name), appending] if begins else [appending]

    def refusal(self, replies: list[Reply]) -> hiredis.ReplyError | None:
        """As Operation; the index can be seen to later."""
        return super().refusal(replies[-1:])

    def result(self, replies: list[Reply]) -> None:
        """As Operation."""
        reply = replies[-1]
        if reply == _OK:
            self.unlisted = isinstance(replies[0], hiredis.ReplyError)
            return
        if reply >= 0 and self._expected == 0:
            raise AlreadyExists(self.session_id)
        raise _refusal(self.session_id, self._expected, reply)

    def inquiry(self) -> Command:
        """As Operation."""
        keys = [key(self.session_id, part) for part in ("fence", "head", "log")]
        return _evaluated(SETTLE, keys, self.stamp, self._records[-1].sequence)

    def answered(self, reply: Reply) -> bool:
        """As Operation."""
        if reply == _OK:
            self.succeed(None)
        elif reply == FENCED:
            self.fail(StoreUncertain(_TRIMMED.format(self.session_id)))
        return reply not in (_OK, FENCED)


@final
class PutSnapshot(Operation[None]):
    """A snapshot to keep."""

    def __init__(self, session_id: str, version: int, payload: bytes) -> None:
        super().__init__(session_id)
        self._version, self._payload = version, payload

    def commands(self) -> list[Command]:
        """As Operation."""
        keys = [key(self.session_id, part) for part in ("fence", "head", "snapshot")]
        return [_evaluated(PUT_SNAPSHOT, keys, self.stamp, self._version, self._payload)]

    def result(self, replies: list[Reply]) -> None:
        """As Operation."""
        _check(self.session_id, self._version, replies[-1])


@final
class Note(Operation[None]):
    """Marks to set."""

    def __init__(self, session_id: str, marks: Mapping[str, int]) -> None:
        super().__init__(session_id)
        self._marks = marks

    def commands(self) -> list[Command]:
        """As Operation."""
        keys = [key(self.session_id, part) for part in ("fence", "head", "marks")]
        return [_evaluated(NOTE, keys, self.stamp, *_flat(self._marks))]

    def result(self, replies: list[Reply]) -> None:
        """As Operation."""
        _check(self.session_id, 0, replies[-1])


@final
class Trim(Operation[None]):
    """A record to put in the place of all up to it."""

    def __init__(self, session_id: str, record: Record) -> None:
        super().__init__(session_id)
        self._record = record

    def commands(self) -> list[Command]:
        """As Operation."""
        keys = [key(self.session_id, part) for part in ("fence", "head", "log", "first", "requests", "snapshot")]
        return [_evaluated(TRIM, keys, self.stamp, *self._record)]

    def result(self, replies: list[Reply]) -> None:
        """As Operation."""
        _check(self.session_id, self._record.sequence, replies[-1])


@final
class Delete(Operation[str]):
    """A session to remove; answers the token of its life, empty where that is not known."""

    def commands(self) -> list[Command]:
        """As Operation."""
        parts = ("fence", "head", "log", "first", "requests", "marks", "snapshot")
        return [_evaluated(DELETE, [key(self.session_id, part) for part in parts], self.stamp)]

    def result(self, replies: list[Reply]) -> str:
        """As Operation."""
        if isinstance(replies[-1], int):
            raise _refusal(self.session_id, 0, replies[-1])
        return str(replies[-1], "ascii")

    def answered(self, reply: Reply) -> bool:
        """As Operation; it is not sent again, as the session that is there now may be another, begun since."""
        if reply == ABSENT:
            self.succeed("")
        else:
            self.fail(
                StoreUnavailable(
                    f"the connection to Redis was lost while session {self.session_id!r} was being deleted, and there is "
                    "a session of that id now; delete it again if it is to go"
                )
            )
        return False


@final
class Ask(Operation[T]):
    """A question, of one command or several; `meaning` makes an answer of all replies."""

    writes = False

    def __init__(self, commands: list[Command], meaning: Callable[[list[Reply]], T]) -> None:
        super().__init__("")
        self._commands, self._meaning = commands, meaning
        self.replies = len(commands)

    def commands(self) -> list[Command]:
        """As Operation."""
        return self._commands

    def result(self, replies: list[Reply]) -> T:
        """As Operation."""
        return self._meaning(replies)


def _evaluated(script: Script, keys: Sequence[str], *arguments: str | float | bytes) -> Command:
    return ("EVALSHA", script.name, len(keys), *keys, *arguments)


def _flat(marks: Mapping[str, int]) -> list[str | int]:
    return [part for mark in marks.items() for part in mark]


def _check(session_id: str, version: int, reply: Reply) -> None:
    if reply != _OK:
        raise _refusal(session_id, version, reply)


def _refusal(session_id: str, version: int, reply: int) -> Exception:
    if reply == ABSENT:
        return NotFound(session_id)
    if reply == FENCED:
        return StoreUnavailable("this writer was taken for lost; nothing of the write is kept, try again")
    return VersionConflict(session_id, version, reply)
