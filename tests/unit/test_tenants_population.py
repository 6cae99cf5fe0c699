"""How many sessions a tenant may have: counted where that matters, and exact where the store is this process's own."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from emotional_ai_service.errors import QuotaExceeded
from emotional_ai_service.stores import AlreadyExists, MemoryStore, Record, SessionRow
from emotional_ai_service.tenants import TenantStore
from emotional_ai_service.tenants.population import RECOUNT_SECONDS, Population


class Pages:
    """An engine as far as counting goes."""

    def __init__(self, store: TenantStore) -> None:
        self._store = store
        self.pages = 0

    async def list(self, after_id: str, limit: int) -> list[SessionRow]:
        self.pages += 1
        return await self._store.list_sessions(after_id, limit)


@pytest.fixture
async def shared() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    for number in range(1_001):
        TenantStore(store, "acme").append(f"s{number}", 0, [Record(1, 1, b"")])
        TenantStore(store, "zeta").append(f"s{number}", 0, [Record(1, 1, b"")])
    yield store
    await store.close()


async def test_sessions_are_counted_once_then_by_those_that_begin_and_go(shared: MemoryStore) -> None:
    population = Population(lambda: 1_002)
    store = TenantStore(shared, "acme", population)
    await population.counted(Pages(store))
    store.append("new", 0, [Record(1, 1, b"")])
    with pytest.raises(QuotaExceeded) as refused:
        store.append("newer", 0, [Record(1, 1, b"")])
    assert refused.value.facts == {"limit": "sessions", "used": "1002", "allowed": "1002"}
    store.append("new", 1, [Record(2, 2, b"")])
    await store.delete("s1")
    store.append("newer", 0, [Record(1, 1, b"")])


async def test_a_session_that_did_not_begin_takes_no_place(shared: MemoryStore) -> None:
    population = Population(lambda: 1_002)
    store = TenantStore(shared, "acme", population)
    await population.counted(Pages(store))
    for _ in range(3):
        with pytest.raises(AlreadyExists):
            store.append("s1", 0, [Record(1, 1, b"")])
    store.append("new", 0, [Record(1, 1, b"")])


async def test_without_a_quota_nothing_is_counted(shared: MemoryStore) -> None:
    population = Population(lambda: math.inf)
    pages = Pages(TenantStore(shared, "acme", population))
    await population.counted(pages)
    assert pages.pages == 0


async def test_where_others_write_too_the_count_is_made_anew_now_and_then(
    shared: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(TenantStore(shared, "acme"))
    population = Population(lambda: 5_000, shared=True)
    await population.counted(pages)
    await population.counted(pages)
    assert pages.pages == 3
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now + RECOUNT_SECONDS + 1)
    await population.counted(pages)
    monkeypatch.undo()
    assert pages.pages == 6
