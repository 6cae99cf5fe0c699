"""A store of each kind, for what holds for all of them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis_server import RedisServer

from emotional_ai_service.stores import MemoryStore, SqliteStore, Store
from emotional_ai_service.stores.redis import RedisStore


@pytest.fixture(scope="module")
def redis_of_each(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The server behind `each_store`, emptied for each test."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store, of each kind in turn; closed at the end."""
    store: Store
    match request.param:
        case "memory":
            store = MemoryStore()
        case "sqlite":
            store = await SqliteStore.open(tmp_path / "sessions.db")
        case _:
            server: RedisServer = request.getfixturevalue("redis_of_each")
            server.ask("FLUSHALL")
            store = await RedisStore.open(server.address)
    yield store
    await store.close()
