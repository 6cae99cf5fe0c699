"""Redis slow, full, frozen, cut off, killed: nothing acknowledged is lost, nothing applied twice, and what is told is true."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop
from cutting_proxy import CuttingProxy
from redis_server import RedisServer

from emotional_ai_service.stores import (
    NotFound,
    Record,
    RedisAddress,
    StoreError,
    StoreUnavailable,
    StoreUncertain,
    VersionConflict,
)
from emotional_ai_service.stores.redis import RedisStore
from emotional_ai_service.stores.redis_lane import Patience

SHORT = Patience(answer=0.2, whole=0.6, down=0.1)
STEADY = Patience(answer=0.2, whole=5.0, down=0.1)
"""For writers that end with their server, and not where it is silent for a moment."""
LONG = Patience(answer=0.5, whole=60.0)
T = TypeVar("T")


@asynccontextmanager
async def opened(server: RedisServer, port: int = 0, patience: Patience = LONG) -> AsyncIterator[RedisStore]:
    store = await RedisStore.open(RedisAddress("127.0.0.1", port or server.port), patience=patience)
    try:
        yield store
    finally:
        await store.close()


def record(sequence: int, text: str = "") -> Record:
    return Record(sequence, sequence, f"{text}{sequence}".encode())


async def append_on(store: RedisStore, session: str, ended: Callable[[], bool]) -> int:
    """Appends one record after the other; returns the version acknowledged last."""
    version = 0
    while not ended():
        await store.append(session, version, [record(version + 1)], request_id=f"r{version + 1}")
        version += 1
    return version


async def reaches(condition: Callable[[], bool]) -> None:
    """Until a condition holds, turn by turn."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0)


async def in_the_end(work: Callable[[], Awaitable[T]]) -> T:
    """Tries until the store is available again."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await work()
            except StoreUnavailable:
                continue


async def test_killed_in_the_middle_of_writes_it_goes_on_once_it_is_back_and_loses_nothing_acknowledged(
    tmp_path: Path,
) -> None:
    kills = 0
    with RedisServer(tmp_path, "--appendfsync", "always") as server:
        async with opened(server) as store, asyncio.TaskGroup() as tasks:
            writers = [tasks.create_task(append_on(store, f"s{n}", lambda: kills == 3)) for n in range(8)]
            for _ in range(3):
                row = await store.get_session("s7")
                while (now := await store.get_session("s7")) is None or (row and now.version < row.version + 20):
                    pass
                server.kill()
                await asyncio.to_thread(server.start)
                kills += 1
        server.kill()
        server.start()
        async with opened(server) as store:
            for number, writer in enumerate(writers):
                version = writer.result()
                assert version > 20
                assert await store.read(f"s{number}") == [record(n) for n in range(1, version + 1)]
                assert await store.recent_requests(f"s{number}") == [f"r{n}" for n in range(1, version + 1)][-10_000:]
            assert len(await store.list_sessions()) == 8


async def test_synced_every_second_a_killed_server_may_lose_the_end_of_a_log_and_never_its_middle(
    tmp_path: Path,
) -> None:
    acknowledged = dict.fromkeys((f"s{n}" for n in range(8)), 0)

    async def write(store: RedisStore, session: str) -> None:
        with contextlib.suppress(StoreUnavailable):
            while True:
                await store.append(session, acknowledged[session], [record(acknowledged[session] + 1)])
                acknowledged[session] += 1

    with RedisServer(tmp_path, "--appendfsync", "everysec") as server:
        async with opened(server, patience=STEADY) as store:
            writers = asyncio.gather(*(write(store, session) for session in acknowledged))
            await reaches(lambda: min(acknowledged.values()) > 50)
            server.kill()
            await writers
        server.start()
        async with opened(server) as store:
            for session, version in acknowledged.items():
                records = await store.read(session)
                # The one in flight when it was killed may have been written, without a reply.
                assert records == [record(n) for n in range(1, len(records) + 1)]
                assert len(records) <= version + 1
                await store.append(session, len(records), [record(len(records) + 1)])


async def test_without_a_server_writes_and_reads_fail_and_say_where_and_go_on_once_it_is_back(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--appendfsync", "always") as server:
        async with opened(server) as before:
            await before.append("a", 0, [record(1)])
        async with opened(server, patience=SHORT) as store:
            server.kill()
            with pytest.raises(StoreUnavailable, match=rf"127\.0\.0\.1:{server.port}"):
                await store.append("a", 1, [record(2)])
            with pytest.raises(StoreUnavailable, match="see that it runs"):
                await store.append("a", 1, [record(2)])
            with pytest.raises(StoreUnavailable):
                await store.read("a")
            server.start()
            await in_the_end(lambda: store.append("a", 1, [record(2)]))
            await in_the_end(lambda: store.note("a", {"m": 1}))
            await in_the_end(lambda: read_again(store))


async def read_again(store: RedisStore) -> None:
    assert await store.read("a") == [record(1), record(2)]


async def test_a_write_whose_reply_was_lost_is_found_and_not_written_again(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with CuttingProxy(server.port) as proxy, opened(server, proxy.port) as store:
            await store.append("a", 0, [record(1)])
            proxy.answering = False
            pending = [store.append("a", n, [record(n + 1)], request_id=f"r{n + 1}") for n in range(1, 4)]
            begun = store.append("b", 0, [record(1)])
            await reaches(lambda: server.ask("XLEN", "ea:{b}:log") == ":1\r\n")
            proxy.answering = True
            proxy.cut()
            await asyncio.gather(*pending, begun)
            assert await store.read("a") == [record(n) for n in range(1, 5)]
            assert await store.read("b") == [record(1)]
            assert await store.recent_requests("a") == ["r2", "r3", "r4"]
            assert [row.session_id for row in await store.list_sessions()] == ["a", "b"]
            assert "r2" in server.ask("ZRANGE", "ea:{a}:requests", "0", "-1")


async def test_a_write_that_never_arrived_is_sent_again_and_too_late_it_does_nothing(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with CuttingProxy(server.port) as proxy, opened(server, proxy.port) as store:
            await store.append("a", 0, [record(1)])
            await store.append("b", 0, [record(1)])
            proxy.passing = False
            proxy.heard.clear()
            pending = store.append("a", 1, [record(2)])
            deleted = asyncio.create_task(store.delete("b"))
            await asyncio.wait_for(proxy.heard.wait(), 30)
            await asyncio.sleep(0)
            proxy.passing = True
            proxy.cut()
            await asyncio.wait_for(pending, 30)
            with pytest.raises(StoreUnavailable, match="delete it again"):
                await deleted
            await store.append("b", 1, [record(2)])
            await proxy.deliver()
            assert await store.read("a") == [record(1), record(2)]
            assert await store.read("b") == [record(1), record(2)]


async def test_what_cannot_be_known_in_time_is_told_as_such_and_applied_once_if_sent_again(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with opened(server) as before:
            await before.append("a", 0, [record(1)])
        async with CuttingProxy(server.port) as proxy, opened(server, proxy.port, SHORT) as store:
            proxy.answering = False
            with pytest.raises(StoreUncertain, match="same request id"):
                await store.append("a", 1, [record(2)], request_id="again")
            proxy.answering = True
            row = await in_the_end(lambda: store.get_session("a"))
            assert row is not None
            version = row.version
            if await in_the_end(lambda: store.find_request("a", "again")) is None:
                await in_the_end(lambda: store.append("a", version, [record(version + 1)], request_id="again"))
            assert await in_the_end(lambda: store.find_request("a", "again")) == 2
            assert await in_the_end(lambda: store.read("a")) == [record(1), record(2)]


async def test_a_lost_reply_to_another_writers_version_is_a_conflict(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with CuttingProxy(server.port) as proxy, opened(server, proxy.port) as store, opened(server) as other:
            await store.append("a", 0, [record(1)])
            proxy.passing = False
            pending = store.append("a", 1, [record(2)])
            proxy.heard.clear()
            await asyncio.wait_for(proxy.heard.wait(), 30)
            await other.append("a", 1, [record(2)])  # the very same, of another
            proxy.passing = True
            proxy.cut()
            with pytest.raises(VersionConflict):
                await asyncio.wait_for(pending, 30)
            assert await store.read("a") == [record(1), record(2)]


async def test_a_full_server_refuses_in_its_own_words_keeps_nothing_of_it_and_lets_delete(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--maxmemory-policy", "noeviction") as server:
        async with opened(server) as store:
            await store.append("a", 0, [record(1)])
            await store.append("gone", 0, [record(1)])
            server.ask("CONFIG", "SET", "maxmemory", "1")
            for refused in (
                store.append("a", 1, [record(2)], request_id="r", marks={"m": 1}),
                store.append("new", 0, [record(1)]),
                store.put_snapshot("a", 1, b"s"),
            ):
                with pytest.raises(StoreUnavailable, match=r"OOM .*Nothing was kept; raise its maxmemory"):
                    await refused
            await store.delete("gone")
            assert await store.read("a") == [record(1)]
            server.ask("CONFIG", "SET", "maxmemory", "0")
            assert await store.find_request("a", "r") is None
            await store.append("a", 1, [record(2)])
            assert [row.session_id for row in await store.list_sessions()] == ["a"]


async def test_a_server_that_cannot_save_refuses_in_its_own_words_and_goes_on_once_it_can(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--enable-protected-configs", "yes", "--save", "3600 1") as server:
        async with opened(server) as store:
            await store.append("a", 0, [record(1)])
            server.ask("CONFIG", "SET", "dir", "/proc")
            server.ask("BGSAVE")
            server.wait_for("INFO", "persistence", holds="rdb_last_bgsave_status:err")
            with pytest.raises(StoreUnavailable, match=r"MISCONF .*make room on its disk"):
                await store.append("a", 1, [record(2)])
            assert await store.read("a") == [record(1)]
            server.ask("CONFIG", "SET", "dir", str(tmp_path))
            server.ask("BGSAVE")
            server.wait_for("INFO", "persistence", holds="rdb_last_bgsave_status:ok")
            await store.append("a", 1, [record(2)])


async def test_a_server_that_became_a_replica_is_told(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with opened(server) as store:
            await store.append("a", 0, [record(1)])
            server.ask("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(StoreUnavailable, match="name the primary"):
                await store.append("a", 1, [record(2)])
            server.ask("REPLICAOF", "NO", "ONE")
            await store.append("a", 1, [record(2)])


async def test_a_slow_server_is_waited_for(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with opened(server, patience=Patience()) as store:
            await store.append("a", 0, [record(1)])
            server.ask("CLIENT", "PAUSE", "300", "ALL")
            await store.append("a", 1, [record(2)])
            assert await store.read("a") == [record(1), record(2)]


async def test_a_frozen_server_is_given_up_and_what_it_had_taken_is_applied_once_when_it_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer(tmp_path) as server:
        async with opened(server, patience=Patience(answer=0.2, whole=60.0)) as store:
            await store.append("a", 0, [record(1)])
            server.freeze()
            pending = [store.append("a", n, [record(n + 1)]) for n in range(1, 50)]
            await reaches(lambda: "given up" in caplog.text)
            server.thaw()
            await asyncio.wait_for(asyncio.gather(*pending), 60)
            assert await store.read("a") == [record(n) for n in range(1, 51)]


async def test_cut_off_in_the_middle_of_everything_each_write_is_applied_once_or_refused_as_told(
    tmp_path: Path,
) -> None:
    with RedisServer(tmp_path) as server:
        async with CuttingProxy(server.port) as proxy, opened(server, proxy.port) as store:
            done = False

            async def cutting() -> None:
                for number in range(9):
                    proxy.answering, proxy.passing = number % 3 != 0, number % 3 != 1
                    proxy.heard.clear()
                    await asyncio.wait_for(proxy.heard.wait(), 30)
                    proxy.answering = proxy.passing = True
                    proxy.cut()

            async def lives(session: str) -> int:
                """Begins, writes, deletes and begins again; returns the version of the last life."""
                version = 0
                while not done or version < 5:
                    await store.append(session, version, [record(version + 1, session)])
                    version += 1
                    if version == 40:
                        version = await deleted(session, version)
                return version

            async def deleted(session: str, version: int) -> int:
                try:
                    await store.delete(session)
                except NotFound:
                    return 0
                except StoreError:
                    return version
                return 0

            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(lives(f"s{n}")) for n in range(6)]
                await cutting()
                done = True
            await proxy.deliver()
            for number, life in enumerate(running):
                session, version = f"s{number}", life.result()
                assert await store.read(session) == [record(n, session) for n in range(1, version + 1)]
            assert [row.session_id for row in await store.list_sessions()] == [f"s{n}" for n in range(6)]


def test_the_same_holds_on_the_loop_of_the_service_whose_connections_end_in_another_way(tmp_path: Path) -> None:
    uvloop.run(test_a_write_that_never_arrived_is_sent_again_and_too_late_it_does_nothing(tmp_path / "late"))
    uvloop.run(test_cut_off_in_the_middle_of_everything_each_write_is_applied_once_or_refused_as_told(tmp_path / "cut"))
