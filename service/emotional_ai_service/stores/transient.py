"""Sessions that are kept in memory only, beside those of another store: nothing of them reaches it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final, final

from emotional_ai_service.stores.base import (
    NO_MARKS,
    TRANSIENT,
    AlreadyExists,
    Record,
    SessionRow,
    Snapshot,
    Store,
    TransientFull,
)
from emotional_ai_service.stores.memory import MemoryStore

TRANSIENT_SESSIONS: Final = 1_000
"""Transient sessions a store takes where nobody says how many."""


@final
class TransientStore:
    """A Store that keeps sessions begun with the mark TRANSIENT, `limit` at most, and hands all others to `durable`.

    A transient session is known to the process that began it alone, and gone with it. `durable` is closed with this store.
    """

    def __init__(self, durable: Store, limit: int = TRANSIENT_SESSIONS) -> None:
        self._durable = durable
        self._memory = MemoryStore()
        self._limit = limit
        self._ids: set[str] = set()
        self._begun: str | None = None
        """Id of the transient session that is being begun."""
        self._beginning: set[tuple[str, asyncio.Future[None]]] = set()
        """Sessions on their way to the durable store."""
        self._alone = asyncio.Lock()

    @property
    def shared(self) -> bool:
        """As the Protocol."""
        return self._durable.shared

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
        """As the Protocol; raises, or ends the future with, TransientFull too."""
        if expected_version == 0:
            if TRANSIENT in marks:
                return asyncio.create_task(self._begin(session_id, records, request_id, marks))
            return self._begin_durable(session_id, records, request_id, marks)
        return self._of(session_id).append(
            session_id, expected_version, records, request_id=request_id, marks=marks, created_us=created_us
        )

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        """As the Protocol."""
        return self._of(session_id).put_snapshot(session_id, version, payload)

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """As the Protocol."""
        return await self._of(session_id).get_snapshot(session_id)

    async def get_session(self, session_id: str) -> SessionRow | None:
        """As the Protocol."""
        if session_id not in self._ids:
            return await self._durable.get_session(session_id)
        row = await self._memory.get_session(session_id)
        return row and replace(row, transient=True)

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """As the Protocol: the sessions of both in one order."""
        stored = await self._durable.list_sessions(after_id, limit)
        if not self._ids:
            return stored
        kept = [replace(row, transient=True) for row in await self._memory.list_sessions(after_id, limit)]
        # Another process may have stored a session under the id of one that is here; here it is this one.
        rows = {row.session_id: row for row in (*stored, *kept)}
        return sorted(rows.values(), key=attrgetter("session_id"))[:limit]

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """As the Protocol."""
        return await self._of(session_id).read(session_id, after_sequence, limit)

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        return await self._of(session_id).find_request(session_id, request_id)

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        return await self._of(session_id).recent_requests(session_id, limit)

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol; a transient session always has the mark it began with."""
        marks = await self._of(session_id).marks(session_id)
        return {TRANSIENT: 1} | marks if session_id in self._ids else marks

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """As the Protocol."""
        return self._of(session_id).watch(session_id, woken)

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """As the Protocol."""
        await self._of(session_id).note(session_id, marks)

    async def trim(self, session_id: str, record: Record) -> None:
        """As the Protocol."""
        await self._of(session_id).trim(session_id, record)

    async def delete(self, session_id: str) -> None:
        """As the Protocol."""
        await self._of(session_id).delete(session_id)
        self._ids.discard(session_id)

    async def close(self) -> None:
        """As the Protocol."""
        await self._memory.close()
        await self._durable.close()

    def _of(self, session_id: str) -> Store:
        return self._memory if session_id in self._ids else self._durable

    def _begin_durable(
        self, session_id: str, records: Sequence[Record], request_id: str, marks: Mapping[str, int]
    ) -> asyncio.Future[None] | None:
        if session_id in self._ids or session_id == self._begun:
            raise AlreadyExists(session_id)
        pending = self._durable.append(session_id, 0, records, request_id=request_id, marks=marks)
        if pending is not None:
            beginning = session_id, pending
            self._beginning.add(beginning)
            pending.add_done_callback(lambda _: self._beginning.discard(beginning))
        return pending

    async def _begin(
        self, session_id: str, records: Sequence[Record], request_id: str, marks: Mapping[str, int]
    ) -> None:
        """Begins a transient session, once it is certain that no session of that id is, or is about to be, stored."""
        async with self._alone:
            if session_id in self._ids:
                raise AlreadyExists(session_id)
            if len(self._ids) >= self._limit:
                raise TransientFull(self._limit)
            self._begun = session_id
            try:
                earlier = [pending for name, pending in self._beginning if name == session_id]
                if earlier:
                    await asyncio.wait(earlier)
                if await self._durable.get_session(session_id) is not None:
                    raise AlreadyExists(session_id)
                self._memory.append(session_id, 0, records, request_id=request_id, marks=marks)
                self._ids.add(session_id)
            finally:
                self._begun = None
