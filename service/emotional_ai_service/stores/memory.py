"""Logs in memory: for tests and for sessions that may end with the process."""

import asyncio
import bisect
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import final

from emotional_ai_service.stores.base import (
    LASTING,
    LASTING_KEPT,
    MARKS_KEPT,
    NO_MARKS,
    AlreadyExists,
    NotFound,
    Record,
    SessionRow,
    Snapshot,
    StoreClosed,
    StoreError,
    VersionConflict,
    check_numbering,
)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Log:
    """Everything kept of one session."""

    created_us: int
    before: int = 0
    """Records let go of: the version is this and the number of records."""
    records: list[Record] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    """The version each request led to, oldest first."""
    marks: dict[str, int] = field(default_factory=dict)
    """In the order of writing."""
    snapshot: Snapshot | None = None

    @property
    def version(self) -> int:
        return self.before + len(self.records)


@dataclass(slots=True, eq=False)
class _Watch:
    """Somebody to call, until it has ended."""

    woken: Callable[[], None]
    going: bool = True

    def call(self) -> None:
        if self.going:
            self.woken()


@final
class MemoryStore:
    """A Store that lives and ends with the process: an append is done when it returns."""

    def __init__(self, *, shared: bool = False) -> None:
        """`shared` makes several users of the store, within the process, what several processes are to another one."""
        self._shared = shared
        self._logs: dict[str, _Log] = {}
        self._ids: list[str] | None = []
        self._closed = False
        self._watches: defaultdict[str, list[_Watch]] = defaultdict(list)

    @property
    def shared(self) -> bool:
        """As the Protocol."""
        return self._shared

    def append(
        self,
        session_id: str,
        expected_version: int,
        records: Sequence[Record],
        *,
        request_id: str = "",
        marks: Mapping[str, int] = NO_MARKS,
        created_us: int | None = None,
    ) -> None:
        """As the Protocol; durable, as far as memory is, on return."""
        check_numbering(expected_version, records)
        log = self._logs.get(session_id)
        if (
            log is None
            or log.before + len(log.records) != expected_version
            or created_us not in (None, log.created_us)
            or self._closed
        ):
            log = self._begin(session_id, expected_version, records[0], created_us)
        log.records.extend(records)
        if request_id:
            log.requests.pop(request_id, None)
            log.requests[request_id] = log.version
        if marks:
            _set_marks(log.marks, marks)
        if self._shared:
            self._wake(session_id)

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        """As the Protocol; a refusal comes as a future that is done."""
        try:
            log = self._existing(session_id)
            if version > log.version:
                raise VersionConflict(session_id, version, log.version)
        except StoreError as error:
            _log.warning("no snapshot was kept: %s", error)
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            refused.exception()  # Marks it as seen: the caller may leave the future alone.
            return refused
        if log.snapshot is None or log.snapshot.version < version:
            log.snapshot = Snapshot(version, payload)
        return None

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """As the Protocol."""
        log = self._find(session_id)
        return log.snapshot if log else None

    async def get_session(self, session_id: str) -> SessionRow | None:
        """As the Protocol."""
        log = self._find(session_id)
        return _row(session_id, log) if log else None

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """As the Protocol."""
        self._check_open()
        if self._ids is None:
            self._ids = sorted(self._logs)
        start = bisect.bisect_right(self._ids, after_id)
        return [_row(session_id, self._logs[session_id]) for session_id in self._ids[start : start + limit]]

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """As the Protocol."""
        log = self._find(session_id)
        if log is None:
            return []
        start = max(0, after_sequence - log.before)
        return log.records[start : None if limit is None else start + limit]

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        log = self._find(session_id)
        return log.requests.get(request_id) if log else None

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        log = self._find(session_id)
        newest = islice(reversed(log.requests), limit) if log else ()
        return list(newest)[::-1]

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol."""
        log = self._find(session_id)
        return dict(log.marks) if log else {}

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """As the Protocol; of a shared store every watch of a session is woken by every write to it."""
        self._check_open()
        watch = _Watch(woken)
        self._watches[session_id].append(watch)

        def end() -> None:
            if watch.going:
                watch.going = False
                watches = self._watches[session_id]
                watches.remove(watch)
                if not watches:
                    del self._watches[session_id]

        return end

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """As the Protocol."""
        _set_marks(self._existing(session_id).marks, marks)

    async def trim(self, session_id: str, record: Record) -> None:
        """As the Protocol."""
        log = self._existing(session_id)
        if record.sequence > log.version:
            raise VersionConflict(session_id, record.sequence, log.version)
        gone = record.sequence - 1 - log.before
        if gone < 0:
            return
        log.records[: gone + 1] = [record]
        log.before += gone
        log.requests = {name: version for name, version in log.requests.items() if version >= record.sequence}
        if log.snapshot is not None and log.snapshot.version < record.sequence:
            log.snapshot = None

    async def delete(self, session_id: str) -> None:
        """As the Protocol."""
        self._existing(session_id)
        del self._logs[session_id]
        self._ids = None
        if self._shared:
            self._wake(session_id)

    async def close(self) -> None:
        """As the Protocol."""
        self._closed = True
        self._logs.clear()

    def _wake(self, session_id: str) -> None:
        """Has the watches of a session called in the next turn of the loop, as word from elsewhere would."""
        for watch in self._watches.get(session_id, ()):
            asyncio.get_running_loop().call_soon(watch.call)

    def _begin(self, session_id: str, expected_version: int, first: Record, created_us: int | None) -> _Log:
        """A new log, or the reason why the session cannot be appended to at that version."""
        self._check_open()
        log = self._logs.get(session_id)
        if log is not None:
            if expected_version == 0:
                raise AlreadyExists(session_id)
            if created_us not in (None, log.created_us):
                raise NotFound(session_id)
            raise VersionConflict(session_id, expected_version, log.version)
        if expected_version != 0:
            raise NotFound(session_id)
        log = self._logs[session_id] = _Log(first.time_us, before=first.sequence - 1)
        self._ids = None
        return log

    def _existing(self, session_id: str) -> _Log:
        log = self._find(session_id)
        if log is None:
            raise NotFound(session_id)
        return log

    def _find(self, session_id: str) -> _Log | None:
        self._check_open()
        return self._logs.get(session_id)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed


def _set_marks(kept: dict[str, int], marks: Mapping[str, int]) -> None:
    for name, value in marks.items():
        kept.pop(name, None)
        kept[name] = value
    while len(kept) > MARKS_KEPT + LASTING_KEPT:
        del kept[next(name for name in kept if not name.startswith(LASTING))]


def _row(session_id: str, log: _Log) -> SessionRow:
    return SessionRow(session_id, log.created_us, log.records[-1].time_us, log.version)
