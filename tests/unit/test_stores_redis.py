"""What a Redis store promises beyond the Protocol: keys of one slot, an index that is never wrong, and servers it refuses."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import uvloop
from redis_server import RedisServer

from emotional_ai.calls.call import Deadlines
from emotional_ai.connection import RETRY_POLICY
from emotional_ai_service.stores import (
    AlreadyExists,
    Record,
    StoreOverloaded,
)
from emotional_ai_service.stores.redis import RedisStore
from emotional_ai_service.stores.redis_lane import Patience
from emotional_ai_service.stores.redis_scripts import SHARDS, key, shard, shard_key


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisStore]:
    server.ask("FLUSHALL")
    opened = await RedisStore.open(server.address)
    yield opened
    await opened.close()


def numbered(first: int, count: int = 1) -> list[Record]:
    return [Record(n, 1_000 * n, f"payload {n}".encode()) for n in range(first, first + count)]


async def fill(store: RedisStore, session: str) -> None:
    """A session with something of everything that is kept."""
    await store.append(session, 0, numbered(1, 5), request_id="r", marks={"m": 1})
    await store.put_snapshot(session, 4, b"s")
    await store.trim(session, Record(3, 3_000, b"three"))
    await store.note(session, {"n": 2})
    await store.append(session, 5, numbered(6), request_id="r2")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A cluster of one node, which refuses what a larger one would: commands and scripts on several slots."""
    with RedisServer(tmp_path_factory.mktemp("cluster"), "--cluster-enabled", "yes") as server:
        server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        server.wait_for("CLUSTER", "INFO", holds="cluster_state:ok")
        yield server


@pytest.mark.parametrize("session", ["a", "a}b", "}", "{x}y", "{}", "%7D", "tenant/é"])
async def test_every_key_of_a_session_is_in_one_slot_of_a_cluster(cluster: RedisServer, session: str) -> None:
    store = await RedisStore.open(cluster.address)
    woken = asyncio.Event()
    end = store.watch(session, woken.set)
    await asyncio.wait_for(woken.wait(), 30)
    await fill(store, session)
    keys = [one for one in cluster.all_keys() if not one.startswith("ea:{ids:")]
    parts = ("head", "log", "first", "requests", "marks", "snapshot")
    assert sorted(keys) == sorted(key(session, part) for part in parts)
    assert len({cluster.ask("CLUSTER", "KEYSLOT", one) for one in keys}) == 1
    assert [row.session_id for row in await store.list_sessions()] == [session]
    end()
    await store.delete(session)
    assert cluster.all_keys() == []
    await store.close()


async def test_the_index_is_spread_over_slots(server: RedisServer, store: RedisStore) -> None:
    await asyncio.gather(*(store.append(f"s{number}", 0, numbered(1)) for number in range(200)))
    assert {one for one in server.all_keys() if one.startswith("ea:{ids:")} == {shard_key(n) for n in range(SHARDS)}


async def test_a_deleted_session_leaves_no_key(server: RedisServer, store: RedisStore) -> None:
    await fill(store, "a")
    await store.delete("a")
    assert server.all_keys() == []


async def test_a_session_that_could_not_begin_leaves_no_name(server: RedisServer, store: RedisStore) -> None:
    await fill(store, "a")
    before = server.ask("DBSIZE"), names(server)
    with pytest.raises(AlreadyExists):
        await store.append("a", 0, numbered(1))
    await store.append("a", 6, numbered(7))
    assert (server.ask("DBSIZE"), names(server)) == before


def names(server: RedisServer) -> str:
    return "".join(server.ask("ZRANGE", shard_key(number), "0", "-1") for number in range(SHARDS))


async def test_a_name_without_its_session_is_not_listed_and_taken_away_once_it_is_old(
    server: RedisServer, store: RedisStore
) -> None:
    await store.append("a", 0, numbered(1))
    kept = names(server)
    server.ask("ZADD", shard("ghost"), "0", "ghost\0" + "0" * 20)
    server.ask("ZADD", shard("begins"), "0", "begins\0" + "f" * 12 + "0" * 8)
    assert [row.session_id for row in await store.list_sessions()] == ["a"]
    await store.append("a", 1, numbered(2))
    assert "ghost" not in names(server)
    assert len(names(server)) > len(kept)


async def test_a_name_of_an_earlier_life_hides_nothing(server: RedisServer, store: RedisStore) -> None:
    await store.append("a", 0, numbered(1))
    left_over = {number: server.ask("ZRANGE", shard_key(number), "0", "-1") for number in range(SHARDS)}
    await store.delete("a")
    await store.append("a", 0, numbered(1))
    for number, reply in left_over.items():
        if "\0" in reply:
            server.ask("ZADD", shard_key(number), "0", reply.split("\r\n")[2])
    assert [row.session_id for row in await store.list_sessions()] == ["a"]


async def test_long_lists_come_in_order_and_once(store: RedisStore) -> None:
    ids = [f"{number:04}" for number in range(0, 1_200, 3)]
    await asyncio.gather(*(store.append(session, 0, numbered(1)) for session in ids))
    assert [row.session_id for row in await store.list_sessions()] == ids
    assert [row.session_id for row in await store.list_sessions("0299", 7)] == ids[100:107]


async def test_an_id_with_a_zero_byte_is_a_mistake_of_the_caller(store: RedisStore) -> None:
    with pytest.raises(ValueError, match="zero byte"):
        store.append("a\0b", 0, numbered(1))


async def test_a_long_log_is_read_in_pages_as_one(store: RedisStore) -> None:
    for version in range(0, 5_000, 1_000):
        await store.append("a", version, numbered(version + 1, 1_000))
    await store.trim("a", Record(500, 500_000, b"payload 500"))
    assert await store.read("a") == numbered(500, 4_501)
    assert await store.read("a", 10, 3_000) == numbered(500, 3_000)
    assert await store.read("a", 2_500, 2_100) == numbered(2_501, 2_100)


async def test_a_log_that_is_trimmed_while_it_is_read_is_read_as_it_is_then(
    server: RedisServer, store: RedisStore
) -> None:
    other, total = await RedisStore.open(server.address), 8_000
    for version in range(0, total, 1_000):
        await store.append("a", version, numbered(version + 1, 1_000))

    async def trim() -> None:
        for sequence in range(500, total, 500):
            await other.trim("a", Record(sequence, 1_000 * sequence, f"payload {sequence}".encode()))

    trimming = asyncio.create_task(trim())
    while not trimming.done():
        records = await store.read("a")
        assert records == numbered(records[0].sequence, total + 1 - records[0].sequence)
    await trimming
    await other.close()


async def test_writes_go_on_in_order_when_the_scripts_are_flushed(server: RedisServer, store: RedisStore) -> None:
    pending = []
    for version in range(300):
        if version % 100 == 50:
            server.ask("SCRIPT", "FLUSH")
        pending.append(store.append("a", version, numbered(version + 1)))
        await asyncio.sleep(0)
    await asyncio.gather(*pending)
    assert await store.read("a") == numbered(1, 300)


async def test_a_full_queue_refuses_and_takes_writes_again_once_it_is_shorter(server: RedisServer) -> None:
    store = await RedisStore.open(server.address, queue_limit=3)
    pending = [store.append("full", version, numbered(version + 1)) for version in range(3)]
    with pytest.raises(StoreOverloaded, match="3"):
        store.append("full", 3, numbered(4))
    await asyncio.gather(*pending)
    await store.append("full", 3, numbered(4))
    assert await store.read("full") == numbered(1, 4)
    await store.close()


async def test_closing_settles_all_that_was_queued(server: RedisServer) -> None:
    store = await RedisStore.open(server.address)
    pending = [store.append("closing", version, numbered(version + 1)) for version in range(500)]
    await store.close()
    assert all(one.done() and one.exception() is None for one in pending)


async def test_a_write_goes_on_when_its_future_is_cancelled(store: RedisStore) -> None:
    store.append("a", 0, numbered(1)).cancel()
    await store.append("a", 1, numbered(2))
    assert await store.read("a") == numbered(1, 2)


async def test_a_value_that_cannot_be_written_fails_alone(store: RedisStore) -> None:
    good, bad, other = (
        store.append("a", 0, numbered(1)),
        store.append("b", 0, numbered(1), request_id="\ud800"),
        store.append("c", 0, numbered(1)),
    )
    with pytest.raises(UnicodeEncodeError):
        await bad
    await asyncio.gather(good, other)
    assert [row.session_id for row in await store.list_sessions()] == ["a", "c"]


async def test_of_two_stores_on_one_session_exactly_one_writes_each_version(
    server: RedisServer, store: RedisStore
) -> None:
    other = await RedisStore.open(server.address)

    async def race(one: RedisStore, name: str) -> list[int]:
        won, version = [], 0
        while version < 100:
            outcome = await asyncio.gather(
                one.append("a", version, [Record(version + 1, 0, name.encode())]), return_exceptions=True
            )
            version = len(await one.read("a"))
            if outcome == [None]:
                won.append(version)
        return won

    await asyncio.gather(race(store, "one"), race(other, "other"))
    records = await store.read("a")
    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    assert {record.payload for record in records} == {b"one", b"other"}
    await other.close()


def test_it_serves_under_uvloop(server: RedisServer) -> None:
    async def visit() -> list[Record]:
        store = await RedisStore.open(server.address)
        await asyncio.gather(*(store.append(f"uv{number}", 0, numbered(1)) for number in range(100)))
        records = await store.read("uv99")
        await store.close()
        return records

    assert uvloop.run(visit()) == numbered(1)


def test_all_attempts_of_a_client_end_before_its_deadline_while_redis_is_away() -> None:
    attempts, pause = 4, 0.1
    assert (RETRY_POLICY["maxAttempts"], RETRY_POLICY["initialBackoff"]) == (attempts, f"{pause}s")
    assert RETRY_POLICY["backoffMultiplier"] == 3
    pauses = 1.2 * sum(pause * 3**number for number in range(attempts - 1))  # gRPC makes them up to a fifth longer.
    assert attempts * Patience().down + pauses < Deadlines().read
