"""What every store of session logs promises, and its errors. Payloads are opaque bytes here.

A session in a store is one log of records numbered from 1 without gaps; its version is the number of the last one. A log that
was trimmed begins later, without gaps from there. Beside the log stand the request ids that wrote it, a few named integers
(marks) and at most one snapshot.

Request ids belong to the log: each is kept with the last record its append wrote, for as long as that record is, so a repeat is
recognised after any restart and nothing ever needs to be pruned. Marks are values that change, like the last batch of a
stream; only the MARKS_KEPT most recently written of a session are sure to be there. Both become durable in the same
transaction as the records they came with.

A store is shared if other processes write to it too; whoever keeps a session of it in memory watches that session.

StoreError
+-- NotFound              no session of that id
+-- AlreadyExists         a session was to begin that is there already
+-- VersionConflict       the session is not at the version the writer expected
+-- StoreOverloaded       the queue is full; nothing was queued, try again later
+-- TransientFull         as many transient sessions as may be are there
+-- StoreUnavailable      disk or server full, failing or gone; nothing of the write is kept, try again once the cause is gone
|   +-- StoreClosed       the store has been closed
|   +-- StoreUncertain    the server went away in the middle of the write: it may be kept, or may be yet
+-- StoreUnusable         the file or server cannot serve as a store; it was left as it was
    +-- StoreCorrupt      torn, damaged or not a database
    +-- StoreForeign      a database of something else
    +-- StoreTooNew       written by a newer version of this service
    +-- StoreLocked       another process is using it
    +-- StoreUnwritable   it cannot be opened for writing there
    +-- StoreUnreachable  no server answers there, or it lets nobody in like that
    +-- StoreUnfit        a server of a version or with settings that would break what is promised
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

MARKS_KEPT = 1_000
"""Marks of one session that are sure to be kept, most recently written first."""
LASTING = "exported:"
"""What marks begin with that are kept beside those, however many are written after them."""
LASTING_KEPT = 100
"""Such marks a session has at most."""
NO_MARKS: Mapping[str, int] = MappingProxyType({})
TRANSIENT = "transient"
"""Mark that a session begins with if it is to be kept in memory only; stores that write elsewhere refuse it."""

_log = logging.getLogger(__name__)


class Record(NamedTuple):
    """One entry of a log."""

    sequence: int
    """Position in the session's log, from 1."""
    time_us: int
    """Wall time of the entry, microseconds since the epoch."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class SessionRow:
    """What a store knows of a session without reading its log."""

    session_id: str
    created_us: int
    """Time of the record the session began with, microseconds since the epoch; trimming the log leaves it as it is."""
    updated_us: int
    """Time of the last record, microseconds since the epoch."""
    version: int
    """Sequence of the last record."""
    transient: bool = False
    """Whether it is kept in memory only."""


class Snapshot(NamedTuple):
    """A session's state just after record `version`: shortens the replay, never needed for it."""

    version: int
    payload: bytes


class Store(Protocol):
    """Logs of sessions, whose ids are not empty.

    All methods belong to the event loop that opened the store and none of them blocks it.

    Writes take effect in the order of the calls. `append` and `put_snapshot` are plain functions that answer None where the
    write is durable on return and otherwise a future to await: with a store in memory an append costs about a microsecond,
    and a coroutine or a future that is already done would cost more than the append. A write goes on if its future is
    cancelled, so await it through `asyncio.shield` where its outcome matters.

    What has been acknowledged (None returned, or the future done without error) is seen by every later read, of every process
    that shares the store.
    """

    @property
    def shared(self) -> bool:
        """Whether other processes write to the same store."""
        ...

    def append(
        self,
        session_id: str,
        expected_version: int,
        records: Sequence[Record],
        *,
        request_id: str = "",
        marks: Mapping[str, int] = NO_MARKS,
        created_us: int | None = None,
    ) -> asyncio.Future[None] | None:
        """Adds records to a session at `expected_version`, all or none; 0 begins the session.

        `records` are numbered on from `expected_version` (ValueError otherwise, or if there are none); those a session begins
        with may be numbered from any number on, as a log from elsewhere may have been trimmed there. A `request_id` other
        than "" is remembered with them, `marks` are set with them. A session that goes on must be the one that was created at
        `created_us`, if given: another that has its id since is not found. Raises, or ends the future with, AlreadyExists (0
        expected, session there), NotFound, VersionConflict, StoreOverloaded, StoreUnavailable; then nothing was added.
        """
        ...

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        """Keeps a snapshot in place of an older one; ignored if the kept one is as new.

        Raises nothing. The future ends with VersionConflict (`version` is past the log's end) or any error of `append`; it
        may be left alone: snapshots are a convenience, and a failure is logged.
        """
        ...

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """The snapshot of a session; None if there is none."""
        ...

    async def get_session(self, session_id: str) -> SessionRow | None:
        """A session's row; None if there is no such session."""
        ...

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """Up to `limit` sessions whose id comes after `after_id`, ordered by the code points of the id."""
        ...

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """Records after `after_sequence` in order, at most `limit`; empty where there are none, or no such session."""
        ...

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """The version a request led to (the last time, if it was written twice); None if it is not known."""
        ...

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """The last `limit` request ids of a session, oldest first; one that was written twice may be there twice."""
        ...

    async def marks(self, session_id: str) -> dict[str, int]:
        """The marks of a session by name."""
        ...

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """Has `woken` called after another process wrote to the session or deleted it; returns what ends that.

        It is called on the event loop, within 50 ms where the store is near; the session need not be there yet. It is called
        too after any time in which a write may have been missed, the first moments of the watch among them, so a call means
        "look again" and no more. A store that one process owns never calls it. Raises StoreClosed.
        """
        ...

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """Sets marks without adding a record, as recently written as the last record; use few names over and over.

        Raises NotFound, StoreOverloaded, StoreUnavailable.
        """
        ...

    async def trim(self, session_id: str, record: Record) -> None:
        """Lets go of all records up to `record.sequence` and puts `record` in the place of the last of them, all or none.

        The version stays. Snapshots of versions before `record.sequence` and request ids of the records before it go too;
        marks stay. A log that begins later already is left alone. Raises NotFound, VersionConflict where the session is not
        that far, StoreOverloaded, StoreUnavailable.
        """
        ...

    async def delete(self, session_id: str) -> None:
        """Removes a session and all that is kept with it. Raises NotFound, StoreOverloaded, StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Ends the store once every write that was queued is settled. Any other call then raises StoreClosed."""
        ...


class StoreError(Exception):
    """Base of all errors of stores."""


class NotFound(StoreError):
    """No session of that id."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id!r} in the store")
        self.session_id = session_id


class AlreadyExists(StoreError):
    """A session was to begin that is there already."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} is in the store already")
        self.session_id = session_id


class VersionConflict(StoreError):
    """The session is at version `actual`, not at the `expected` one."""

    def __init__(self, session_id: str, expected: int, actual: int) -> None:
        super().__init__(f"session {session_id!r} is at version {actual}, not {expected}")
        self.session_id = session_id
        self.expected = expected
        self.actual = actual


class StoreOverloaded(StoreError):
    """The queue of `limit` operations is full; nothing was queued."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the store has {limit} operations waiting and takes no more; try again in a moment")
        self.limit = limit


class TransientFull(StoreError):
    """As many transient sessions as may be, `limit`, are there."""

    retry_seconds = 60.0

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"this service keeps {limit} transient sessions at most and takes no more now; delete one, have this one stored, "
            "or start the service with a higher --transient-sessions"
        )
        self.limit = limit


class StoreUnavailable(StoreError):
    """The disk or server is full, failing or gone; nothing of the write is kept."""


class StoreClosed(StoreUnavailable):
    """The store has been closed."""

    def __init__(self) -> None:
        super().__init__("the store has been closed")


class StoreUncertain(StoreUnavailable):
    """The server went away after the write was sent, and could not be asked in time: it may be kept, or may be yet.

    Sent again with the same request id at the version the session is at, it is applied once: either the log has the id, or the
    late write meets another version.
    """


class StoreUnusable(StoreError):
    """The file or server at `path` cannot serve as a store; it was left as it was."""

    def __init__(self, path: Path | str, problem: str) -> None:
        """`path` is a file, or a server's address without its password."""
        super().__init__(f"{path} {problem}")
        self.path = path


class StoreCorrupt(StoreUnusable):
    """Torn, damaged or not a database."""


class StoreForeign(StoreUnusable):
    """A database of something else."""


class StoreTooNew(StoreUnusable):
    """Written by a newer version of this service."""


class StoreLocked(StoreUnusable):
    """Another process is using it."""


class StoreUnwritable(StoreUnusable):
    """It cannot be opened for writing there."""


class StoreUnreachable(StoreUnusable):
    """No server answers there, or it lets nobody in like that."""


class StoreUnfit(StoreUnusable):
    """A server of a version or with settings that would break what is promised."""


def check_numbering(expected_version: int, records: Sequence[Record]) -> None:
    """Raises ValueError unless `records` are one or more, numbered on from `expected_version`, or from any number on if 0."""
    if not records:
        raise ValueError("an append needs at least one record")
    sequence = expected_version or max(0, records[0].sequence - 1)
    for record in records:
        sequence += 1
        if record.sequence != sequence:
            raise ValueError(f"expected record {sequence} after version {expected_version}, got {record.sequence}")


def check_stored(marks: Mapping[str, int]) -> None:
    """For stores that write elsewhere: raises ValueError where a session is to be kept in memory only."""
    if TRANSIENT in marks:
        raise ValueError("a transient session is kept in memory only; put a TransientStore before this store")


def left_alone(put: Callable[[], asyncio.Future[None]]) -> asyncio.Future[None]:
    """What came of putting a snapshot, as a future that nobody need look at: a failure is logged, one of `put` itself too."""
    try:
        future = put()
    except StoreError as error:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
    future.add_done_callback(_log_failure)
    return future


def _log_failure(done: asyncio.Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.warning("no snapshot was kept: %s", error)
