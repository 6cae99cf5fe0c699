"""A store, observed: how long it takes, how much waits, what it refuses."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, final

from emotional_ai_service.observing.histogram import BRIEF, Histogram
from emotional_ai_service.stores import NO_MARKS, Record, SessionRow, Snapshot, Store, StoreError

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from emotional_ai_service.observing.tracing import Tracing

T = TypeVar("T")


@dataclass(slots=True)
class StoreCounts:
    """What was counted of one store."""

    waiting: int = 0
    """Writes handed to the store and not yet durable."""
    seconds: dict[str, Histogram] = field(default_factory=dict)
    """Time taken by operations that succeeded, by name."""
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    """Operations refused, by name and error."""

    def took(self, operation: str, began: float) -> None:
        """Counts an operation that has succeeded, begun at `began` on the clock of time.perf_counter."""
        histogram = self.seconds.get(operation)
        if histogram is None:
            histogram = self.seconds[operation] = Histogram(BRIEF)
        histogram.observe(time.perf_counter() - began)

    def failed(self, operation: str, error: BaseException) -> None:
        """Counts an operation that was refused."""
        key = (operation, type(error).__name__)
        self.failures[key] = self.failures.get(key, 0) + 1


@final
class ObservedStore:
    """A Store over another, which it leaves as it is."""

    def __init__(self, store: Store, counts: StoreCounts, tracing: "Tracing | None") -> None:
        self.inner = store
        self._counts = counts
        self._tracing = tracing

    @property
    def shared(self) -> bool:
        """As the Protocol."""
        return self.inner.shared

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
        """As the Protocol."""
        return self._written(
            "append",
            lambda: self.inner.append(
                session_id, expected_version, records, request_id=request_id, marks=marks, created_us=created_us
            ),
        )

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        """As the Protocol."""
        return self._written("put_snapshot", lambda: self.inner.put_snapshot(session_id, version, payload))

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """As the Protocol."""
        return await self._read("get_snapshot", self.inner.get_snapshot(session_id))

    async def get_session(self, session_id: str) -> SessionRow | None:
        """As the Protocol."""
        return await self._read("get_session", self.inner.get_session(session_id))

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """As the Protocol."""
        return await self._read("list_sessions", self.inner.list_sessions(after_id, limit))

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """As the Protocol."""
        return await self._read("read", self.inner.read(session_id, after_sequence, limit))

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        return await self._read("find_request", self.inner.find_request(session_id, request_id))

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        return await self._read("recent_requests", self.inner.recent_requests(session_id, limit))

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol."""
        return await self._read("marks", self.inner.marks(session_id))

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """As the Protocol."""
        return self.inner.watch(session_id, woken)

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """As the Protocol."""
        await self._read("note", self.inner.note(session_id, marks))

    async def trim(self, session_id: str, record: Record) -> None:
        """As the Protocol."""
        await self._read("trim", self.inner.trim(session_id, record))

    async def delete(self, session_id: str) -> None:
        """As the Protocol."""
        await self._read("delete", self.inner.delete(session_id))

    async def close(self) -> None:
        """As the Protocol."""
        await self.inner.close()

    def _written(self, operation: str, write: Callable[[], asyncio.Future[None] | None]) -> asyncio.Future[None] | None:
        began, span = time.perf_counter(), self._begun(operation)
        try:
            pending = write()
        except BaseException as error:
            self._over(operation, began, span, error)
            raise
        if pending is None:
            self._over(operation, began, span, None)
            return None
        self._counts.waiting += 1
        pending.add_done_callback(lambda done: self._stored(done, operation, began, span))
        return pending

    def _stored(self, done: asyncio.Future[None], operation: str, began: float, span: "Span | None") -> None:
        self._counts.waiting -= 1
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        self._over(operation, began, span, error)

    async def _read(self, operation: str, reading: Awaitable[T]) -> T:
        began, span = time.perf_counter(), self._begun(operation)
        try:
            found = await reading
        except BaseException as error:
            self._over(operation, began, span, error)
            raise
        self._over(operation, began, span, None)
        return found

    def _begun(self, operation: str) -> "Span | None":
        return None if self._tracing is None else self._tracing.begin(f"store {operation}")

    def _over(self, operation: str, began: float, span: "Span | None", error: BaseException | None) -> None:
        if error is None:
            self._counts.took(operation, began)
        elif isinstance(error, StoreError):
            self._counts.failed(operation, error)
        if span is not None and self._tracing is not None:
            self._tracing.end(span, error)
