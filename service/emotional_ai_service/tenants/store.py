"""The part of a store that is one tenant's: every key has the tenant's prefix, so nothing above can reach another's.

    default tenant    ada              as before there were tenants
    tenant "acme"     ~acme/ada

Ids of sessions begin with a letter or digit and names of tenants hold no `/`, so no two tenants share a key, and the keys of
one stand together in the order of the store.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, final

from emotional_ai_service.callers import DEFAULT_TENANT, tenant_name
from emotional_ai_service.stores import (
    NO_MARKS,
    AlreadyExists,
    NotFound,
    Record,
    SessionRow,
    Snapshot,
    Store,
    StoreError,
    VersionConflict,
)
from emotional_ai_service.tenants.population import Population

_MARK: Final = "~"
_NOBODYS: Final = "~/"
"""Before an id of the default tenant that would read as another tenant's key; the contract allows no such id."""


def prefix_of(tenant: str) -> str:
    """What keys of a tenant begin with. Raises ValueError for a name that cannot be a tenant's."""
    return "" if tenant_name(tenant) == DEFAULT_TENANT else f"{_MARK}{tenant}/"


def owner_of(key: str) -> tuple[str, str]:
    """The tenant and the session a key of the store underneath belongs to."""
    if not key.startswith(_MARK):
        return DEFAULT_TENANT, key
    if key.startswith(_NOBODYS):
        return DEFAULT_TENANT, key.removeprefix(_NOBODYS)
    tenant, _, session_id = key.removeprefix(_MARK).partition("/")
    return tenant, session_id


@final
class TenantStore:
    """A Store of one tenant's sessions within `store`, which belongs to who opened it and is closed there.

    `population` bounds them: beginning one raises QuotaExceeded where no other may begin.
    """

    def __init__(self, store: Store, tenant: str, population: Population | None = None) -> None:
        self._store = store
        self._prefix = prefix_of(tenant)
        self._population = population

    @property
    def shared(self) -> bool:
        """As the Protocol."""
        return self._store.shared

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
        key = self._key(session_id)
        population = self._population if expected_version == 0 else None
        if population is not None:
            population.enter()
        try:
            pending = self._store.append(
                key, expected_version, records, request_id=request_id, marks=marks, created_us=created_us
            )
        except BaseException as error:
            if population is not None:
                population.leave()
            if isinstance(error, StoreError):
                raise _told(error, key, session_id) from error.__cause__
            raise
        if pending is not None and population is not None:
            pending.add_done_callback(lambda done: _stayed(done, population))
        return self._pending(pending, key, session_id)

    def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
        """As the Protocol."""
        key = self._key(session_id)
        pending = self._pending(self._store.put_snapshot(key, version, payload), key, session_id)
        if pending is not None:
            pending.add_done_callback(_seen)
        return pending

    async def get_snapshot(self, session_id: str) -> Snapshot | None:
        """As the Protocol."""
        return await self._store.get_snapshot(self._key(session_id))

    async def get_session(self, session_id: str) -> SessionRow | None:
        """As the Protocol."""
        row = await self._store.get_session(self._key(session_id))
        return row and self._row(row)

    async def list_sessions(self, after_id: str = "", limit: int = 1_000) -> list[SessionRow]:
        """As the Protocol."""
        rows = await self._store.list_sessions(self._prefix + after_id, limit)
        if not self._prefix:
            return [row for row in rows if not row.session_id.startswith(_MARK)]
        return [self._row(row) for row in rows if row.session_id.startswith(self._prefix)]

    async def read(self, session_id: str, after_sequence: int = 0, limit: int | None = None) -> list[Record]:
        """As the Protocol."""
        return await self._store.read(self._key(session_id), after_sequence, limit)

    async def find_request(self, session_id: str, request_id: str) -> int | None:
        """As the Protocol."""
        return await self._store.find_request(self._key(session_id), request_id)

    async def recent_requests(self, session_id: str, limit: int = 10_000) -> list[str]:
        """As the Protocol."""
        return await self._store.recent_requests(self._key(session_id), limit)

    async def marks(self, session_id: str) -> dict[str, int]:
        """As the Protocol."""
        return await self._store.marks(self._key(session_id))

    def watch(self, session_id: str, woken: Callable[[], None]) -> Callable[[], None]:
        """As the Protocol."""
        return self._store.watch(self._key(session_id), woken)

    async def note(self, session_id: str, marks: Mapping[str, int]) -> None:
        """As the Protocol."""
        await self._asked(session_id, lambda key: self._store.note(key, marks))

    async def trim(self, session_id: str, record: Record) -> None:
        """As the Protocol."""
        await self._asked(session_id, lambda key: self._store.trim(key, record))

    async def delete(self, session_id: str) -> None:
        """As the Protocol."""
        await self._asked(session_id, self._store.delete)
        if self._population is not None:
            self._population.leave()

    async def close(self) -> None:
        """Ends nothing: others have their sessions in the same store."""

    def _key(self, session_id: str) -> str:
        if self._prefix:
            return self._prefix + session_id
        return _NOBODYS + session_id if session_id.startswith(_MARK) else session_id

    def _row(self, row: SessionRow) -> SessionRow:
        return replace(row, session_id=row.session_id.removeprefix(self._prefix))

    async def _asked(self, session_id: str, ask: Callable[[str], Awaitable[None]]) -> None:
        key = self._key(session_id)
        try:
            await ask(key)
        except StoreError as error:
            raise _told(error, key, session_id) from error.__cause__

    def _pending(self, pending: asyncio.Future[None] | None, key: str, session_id: str) -> asyncio.Future[None] | None:
        """The same future, or where the key is not the session's id one whose errors know only the latter."""
        if pending is None or key == session_id:
            return pending
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pending.add_done_callback(lambda done: _pass_on(done, told, key, session_id))
        return told


def _pass_on(done: asyncio.Future[None], told: asyncio.Future[None], key: str, session_id: str) -> None:
    if told.done():
        _seen(done)
    elif done.cancelled():
        told.cancel()
    elif (error := done.exception()) is not None:
        told.set_exception(_told(error, key, session_id) if isinstance(error, StoreError) else error)
    else:
        told.set_result(None)


def _stayed(done: asyncio.Future[None], population: Population) -> None:
    if done.cancelled() or done.exception() is not None:
        population.leave()


def _seen(done: asyncio.Future[None]) -> None:
    """Marks an error as seen: a snapshot's future may be left alone."""
    if not done.cancelled():
        done.exception()


def _told(error: StoreError, key: str, session_id: str) -> StoreError:
    """An error of the store underneath in the words of this one."""
    match error:
        case NotFound():
            return NotFound(session_id)
        case AlreadyExists():
            return AlreadyExists(session_id)
        case VersionConflict():
            return VersionConflict(session_id, error.expected, error.actual)
    if key == session_id or key not in str(error):
        return error
    again = error.__class__.__new__(error.__class__)
    vars(again).update(vars(error))
    again.args = tuple(one.replace(key, session_id) if isinstance(one, str) else one for one in error.args)
    return again
