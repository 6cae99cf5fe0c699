"""Whoever watches a session hears of what others write to it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cutting_proxy import CuttingProxy
from redis_server import RedisServer

from emotional_ai_service.stores import MemoryStore, Record, RedisAddress, SqliteStore, StoreUnavailable
from emotional_ai_service.stores.redis import RedisStore
from emotional_ai_service.stores.redis_lane import Patience

RECORD = Record(1, 0, b"")


async def test_a_store_of_one_process_is_not_shared_and_wakes_nobody(tmp_path: Path) -> None:
    sqlite = await SqliteStore.open(tmp_path / "sessions.db")
    for store in (MemoryStore(), sqlite):
        calls: list[int] = []
        end = store.watch("a", lambda calls=calls: calls.append(1))  # type: ignore[misc]
        pending = store.append("a", 0, [RECORD])
        if pending is not None:
            await pending
        await store.delete("a")
        await asyncio.sleep(0)
        end()
        assert not store.shared
        assert calls == []
    await sqlite.close()


async def test_a_shared_memory_wakes_every_watch_of_a_session_once_for_each_write() -> None:
    store, calls = MemoryStore(shared=True), list[str]()
    store.watch("a", lambda: calls.append("first"))
    end = store.watch("a", lambda: calls.append("second"))
    store.watch("b", lambda: calls.append("of another session"))
    store.append("a", 0, [RECORD])
    assert calls == []
    await asyncio.sleep(0)
    assert store.shared
    assert calls == ["first", "second"]
    end()
    end()
    await store.delete("a")
    await asyncio.sleep(0)
    assert calls == ["first", "second", "first"]


async def test_a_watch_that_ends_just_after_a_write_is_not_woken() -> None:
    store, calls = MemoryStore(shared=True), list[int]()
    end = store.watch("a", lambda: calls.append(1))
    store.append("a", 0, [RECORD])
    end()
    await asyncio.sleep(0)
    assert calls == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
async def stores(server: RedisServer) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    """Two replicas' stores."""
    one, other = await RedisStore.open(server.address), await RedisStore.open(server.address)
    yield one, other
    await one.close()
    await other.close()


class Woken:
    """Counts calls, and can be waited for."""

    def __init__(self) -> None:
        self.times = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self._event.set()

    async def again(self) -> None:
        """Until it has been called since the last time this returned."""
        await asyncio.wait_for(self._event.wait(), 30)
        self._event.clear()


async def test_what_one_process_writes_wakes_another_and_not_itself(stores: tuple[RedisStore, RedisStore]) -> None:
    one, other = stores
    theirs, own, elsewhere = Woken(), Woken(), Woken()
    for store, session, woken in ((other, "w", theirs), (one, "w", own), (other, "x", elsewhere)):
        store.watch(session, woken)
        await woken.again()  # It has taken hold.
    assert (one.shared, other.shared) == (True, True)
    for version in range(20):
        await one.append("w", version, [Record(version + 1, 0, b"")])
        await theirs.again()
        row = await other.get_session("w")
        assert row is not None
        assert row.version == version + 1
    await one.delete("w")
    await theirs.again()
    assert (own.times, elsewhere.times) == (1, 1)


async def test_a_watch_that_has_ended_is_not_woken_and_others_of_the_session_are(
    stores: tuple[RedisStore, RedisStore],
) -> None:
    one, other = stores
    first, second, late = Woken(), Woken(), Woken()
    end = other.watch("e", first)
    other.watch("e", second)
    await first.again()
    end()
    end()
    other.watch("e", late)
    await late.again()
    calls = first.times
    await one.append("e", 0, [Record(1, 0, b"")])
    await second.again()
    await late.again()
    assert first.times == calls


async def test_a_session_that_is_watched_anew_is_heard_of_again(stores: tuple[RedisStore, RedisStore]) -> None:
    one, other = stores
    first, second = Woken(), Woken()
    end = other.watch("n", first)
    await first.again()
    end()
    other.watch("n", second)
    await second.again()
    await one.append("n", 0, [Record(1, 0, b"")])
    await second.again()
    assert first.times == 1


async def test_a_watch_is_woken_after_a_time_without_connection(server: RedisServer) -> None:
    writer = await RedisStore.open(server.address)
    async with CuttingProxy(server.port) as proxy:
        watcher = await RedisStore.open(RedisAddress("127.0.0.1", proxy.port))
        woken = [Woken() for _ in range(3)]
        for number, one in enumerate(woken):
            watcher.watch(f"c{number}", one)
            await one.again()
        proxy.answering = False
        await writer.append("c1", 0, [Record(1, 0, b"")])
        proxy.cut()
        proxy.answering = True
        for one in woken:
            await one.again()
        row = await watcher.get_session("c1")
        assert row is not None
        await writer.append("c2", 0, [Record(1, 0, b"")])
        await woken[2].again()
        await watcher.close()
    await writer.close()


async def test_a_connection_that_has_gone_silent_is_made_anew(server: RedisServer) -> None:
    writer, woken = await RedisStore.open(server.address), Woken()
    async with CuttingProxy(server.port) as proxy:
        address = RedisAddress("127.0.0.1", proxy.port)
        watcher = await RedisStore.open(address, patience=Patience(heartbeat=0.05))
        watcher.watch("s", woken)
        await woken.again()
        proxy.mute()
        await writer.append("s", 0, [Record(1, 0, b"")])
        await woken.again()
        await watcher.close()
    await writer.close()


async def test_watches_wait_for_a_server_that_is_away(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        one, other, woken = await RedisStore.open(server.address), await RedisStore.open(server.address), Woken()
        server.kill()
        other.watch("a", woken)
        await asyncio.to_thread(server.start)
        await woken.again()
        async with asyncio.timeout(60):
            while True:
                try:
                    await one.append("a", 0, [Record(1, 0, b"")])
                    break
                except StoreUnavailable:
                    continue
        await woken.again()
        await one.close()
        await other.close()
