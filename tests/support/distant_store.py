"""A store as another machine's: what is asked takes a while to get there, the answer a while to come back.

wandering    random whiles; now and then a write or its answer is lost
Gates        whiles that a test ends
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TypeVar, final

from emotional_ai_service.stores import (
    NO_MARKS,
    MemoryStore,
    Record,
    SessionRow,
    Snapshot,
    StoreError,
    StoreUnavailable,
)

T = TypeVar("T")


async def turns(count: int = 10) -> None:
    """Lets everything else run `count` times."""
    for _ in range(count):
        await asyncio.sleep(0)


Way = Callable[[str], Awaitable[None]]
"""What an operation of that name goes through; it may raise StoreUnavailable."""


def wandering(draw: Random, *, far: int = 6, lost: float = 0.0) -> Way:
    """Up to `far` turns of the loop, at the end of which a share of `lost` of the appends is lost."""

    async def wander(operation: str) -> None:
        await turns(draw.randrange(far))
        if operation == "append" and draw.random() < lost:
            raise StoreUnavailable("the connection to the store was cut")

    return wander


class Gates:
    """Holds operations whose gate is shut."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self._comes = asyncio.Event()
        self._shut: dict[str, asyncio.Event] = {}

    def shut(self, operation: str) -> None:
        """From now on operations of that name wait."""
        self._shut[operation] = asyncio.Event()

    def open(self, operation: str) -> None:
        """Lets those that wait, and all to come, through."""
        self._shut.pop(operation).set()

    async def reached(self, operation: str) -> None:
        """Returns once an operation of that name waits, even if a thread must come back before."""
        while operation not in self.waiting:
            self._comes.clear()
            await self._comes.wait()

    async def __call__(self, operation: str) -> None:
        if (gate := self._shut.get(operation)) is not None:
            self.waiting.append(operation)
            self._comes.set()
            await gate.wait()
            self.waiting.remove(operation)


@final
class DistantStore:
    """One replica's way to `kept`, there in order and back."""

    shared = True

    def __init__(self, kept: MemoryStore, there: Way, back: Way) -> None:
        self._kept = kept
        self._there = there
        self._back = back
        self._order = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()

    def lead_to(self, kept: MemoryStore) -> None:
        """Leads to another store from now on."""
        self._kept = kept

    def append(
        self,
        session_id: str,
        expected_version: int,
        records: Sequence[Record],
        *,
        request_id: str = "",
        marks: Mapping[str, int] = NO_MARKS,
        created_us: int | None = None,
    ) -> asyncio.Future[None]:
        """As the Protocol."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def carry() -> None:
            try:
                async with self._order:
                    await self._there("append")
                    self._kept.append(
                        session_id, expected_version, records, request_id=request_id, marks=marks, created_us=created_us
                    )
                await self._back("append")
            except StoreError as error:
                if not future.done():
                    future.set_exception(error)
            if not future.done():
                future.set_result(None)

        task = asyncio.ensure_future(carry())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return future

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        """As the Protocol."""
        return self._kept.put_snapshot(session_id, version, payload)

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """As the Protocol."""
        return await self._asked("get_snapshot", lambda: self._kept.get_snapshot(session_id))

    async def get_session(self, session_id: str) -> SessionRow | None:
        """As the Protocol."""
        return await self._asked("get_session", lambda: self._kept.get_session(session_id))

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """As the Protocol."""
        return await self._asked("list_sessions", lambda: self._kept.list_sessions(after_id, limit))

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """As the Protocol."""
        return await self._asked("read", lambda: self._kept.read(session_id, after_sequence, limit))

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        return await self._asked("find_request", lambda: self._kept.find_request(session_id, request_id))

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        return await self._asked("recent_requests", lambda: self._kept.recent_requests(session_id, limit))

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol."""
        return await self._asked("marks", lambda: self._kept.marks(session_id))

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """As the Protocol."""
        return self._kept.watch(session_id, woken)

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """As the Protocol."""
        await self._asked("note", lambda: self._kept.note(session_id, marks))

    async def trim(self, session_id: str, record: Record) -> None:
        """As the Protocol."""
        await self._asked("trim", lambda: self._kept.trim(session_id, record))

    async def delete(self, session_id: str) -> None:
        """As the Protocol."""
        await self._asked("delete", lambda: self._kept.delete(session_id))

    async def close(self) -> None:
        """Waits for what is under way; the store behind stays open for others."""
        while self._under_way:
            await asyncio.wait(tuple(self._under_way))

    async def _asked(self, operation: str, question: Callable[[], Awaitable[T]]) -> T:
        await self._there(operation)
        answer = await question()
        await self._back(operation)
        return answer
