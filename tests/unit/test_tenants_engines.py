"""One engine a tenant, as long as anybody needs it, and one bound of memory for all."""

import asyncio
import gc
from dataclasses import replace

import pytest

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.callers import ANYBODY, DEFAULT_TENANT, called_by
from emotional_ai_service.errors import SessionNotFound
from emotional_ai_service.room import Room
from emotional_ai_service.stores import MemoryStore
from emotional_ai_service.tenants import Engines

NOW_US = 1_780_000_000_000_000


@pytest.fixture
def engines() -> Engines:
    return Engines(MemoryStore(), lambda: NOW_US, Room(3))


async def begin(engines: Engines, tenant: str, *names: str) -> None:
    for name in names:
        await engines.of(tenant).create(name, pb.SessionConfig(), None)


async def test_who_calls_gets_the_engine_of_its_tenant(engines: Engines) -> None:
    assert engines.mine() is engines.of(DEFAULT_TENANT)

    async def served() -> object:
        called_by(replace(ANYBODY, tenant="acme"))
        await asyncio.sleep(0)
        return engines.mine()

    acme = engines.of("acme")
    assert await asyncio.create_task(served()) is acme
    assert await asyncio.create_task(served()) is not engines.mine()


async def test_the_same_id_is_another_session_in_every_engine(engines: Engines) -> None:
    await begin(engines, "acme", "ada")
    with pytest.raises(SessionNotFound):
        await engines.of("zeta").session("ada")
    await begin(engines, "zeta", "ada")
    assert await engines.of("zeta").session("ada") is not await engines.of("acme").session("ada")


async def test_all_tenants_share_the_room_and_the_least_recently_used_session_leaves(engines: Engines) -> None:
    await begin(engines, "acme", "a1")
    await begin(engines, "zeta", "z1", "z2")
    first = await engines.of("acme").session("a1")
    await begin(engines, DEFAULT_TENANT, "d1")
    assert len(engines.room) == 3
    assert await engines.of("acme").session("a1") is first
    second = await engines.of("zeta").session("z2")
    await engines.of("zeta").session("z1")
    assert len(engines.room) == 3
    assert await engines.of("zeta").session("z2") is second


async def test_a_watched_session_stays_however_little_room_there_is(engines: Engines) -> None:
    await begin(engines, "acme", "ada")
    async with engines.of("acme").watching("ada") as (session, _):
        await begin(engines, "zeta", *(f"z{number}" for number in range(9)))
        assert await engines.of("acme").session("ada") is session
        assert len(engines.room) == 3


async def test_an_engine_is_let_go_once_none_of_its_sessions_is_in_memory_and_no_call_uses_it(engines: Engines) -> None:
    for number in range(50):
        await begin(engines, f"t{number}", "ada")
    gc.collect()
    assert len(engines) == 3 + 1  # the default tenant's stays
    held = engines.of("t0")
    await begin(engines, "t1", "eve", "bob", "carl")
    gc.collect()
    assert engines.of("t0") is held
    assert len(engines) == 3


async def test_a_session_that_was_deleted_makes_room(engines: Engines) -> None:
    await begin(engines, "acme", "a1", "a2", "a3")
    await engines.of("acme").delete("a2")
    assert len(engines.room) == 2
    first = await engines.of("acme").session("a1")
    await begin(engines, "acme", "a4")
    assert await engines.of("acme").session("a1") is first


def test_what_cannot_be_a_tenant_has_no_engine(engines: Engines) -> None:
    with pytest.raises(ValueError, match="a tenant is named by"):
        engines.of("../acme")
