"""Logs in memory: for tests and for sessions that may end with the process."""

import asyncio
import bisect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from emotional_ai_service.stores.base import (
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
    """Everything kept of one session; its version is the number of records."""

    records: list[Record] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Oldest first."""
    versions: dict[str, int] = field(default_factory=dict)
    """The version each request led to."""
    marks: dict[str, int] = field(default_factory=dict)
    """In the order of writing."""
    snapshot: Snapshot | None = None


@final
class MemoryStore:
    """A Store that lives and ends with the process: an append is done when it returns."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._ids: list[str] | None = []
        self._closed = False

    def append(
        self,
        session_id: str,
        expected_version: int,
        records: Sequence[Record],
        *,
        request_id: str = "",
        marks: Mapping[str, int] = NO_MARKS,
    ) -> None:
        """As the Protocol; durable, as far as memory is, on return."""
        check_numbering(expected_version, records)
        log = self._logs.get(session_id)
        if log is None or len(log.records) != expected_version or self._closed:
            log = self._begin(session_id, expected_version)
        log.records.extend(records)
        if request_id:
            log.requests.append(request_id)
            log.versions[request_id] = len(log.records)
        if marks:
            _set_marks(log.marks, marks)

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        """As the Protocol; a refusal comes as a future that is done."""
        try:
            log = self._existing(session_id)
            if version > len(log.records):
                raise VersionConflict(session_id, version, len(log.records))
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
        return log.records[after_sequence : None if limit is None else after_sequence + limit]

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        log = self._find(session_id)
        return log.versions.get(request_id) if log else None

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        log = self._find(session_id)
        return log.requests[-limit:] if log and limit else []

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol."""
        log = self._find(session_id)
        return dict(log.marks) if log else {}

    async def delete(self, session_id: str) -> None:
        """As the Protocol."""
        self._existing(session_id)
        del self._logs[session_id]
        self._ids = None

    async def close(self) -> None:
        """As the Protocol."""
        self._closed = True
        self._logs.clear()

    def _begin(self, session_id: str, expected_version: int) -> _Log:
        """A new log, or the reason why the session cannot be appended to at that version."""
        self._check_open()
        log = self._logs.get(session_id)
        if log is not None:
            if expected_version == 0:
                raise AlreadyExists(session_id)
            raise VersionConflict(session_id, expected_version, len(log.records))
        if expected_version != 0:
            raise NotFound(session_id)
        log = self._logs[session_id] = _Log()
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
    while len(kept) > MARKS_KEPT:
        del kept[next(iter(kept))]


def _row(session_id: str, log: _Log) -> SessionRow:
    return SessionRow(session_id, log.records[0].time_us, log.records[-1].time_us, len(log.records))
