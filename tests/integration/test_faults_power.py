"""The machine of Redis loses power: what each way of syncing promises is kept, and no more is promised."""

import asyncio
import contextlib
from pathlib import Path

from frail_disk import frail_disk
from redis_server import RedisServer

from emotional_ai_service.stores import Record, StoreUnavailable
from emotional_ai_service.stores.redis import RedisStore
from emotional_ai_service.stores.redis_lane import Patience

SESSIONS = tuple(f"s{number}" for number in range(6))
LEAST = 60
"""Appends to each session before the power goes."""
STEADY = Patience(answer=0.2, whole=5.0, down=0.1)
"""So that writers end with their server, and not where its disk is slow for a moment."""


def record(sequence: int) -> Record:
    return Record(sequence, sequence, f"{sequence}".encode())


async def acknowledged_until_the_power_goes(server: RedisServer, fatal: asyncio.Event) -> dict[str, int]:
    """Appends to every session until Redis answers no more; the version acknowledged last of each."""
    versions = dict.fromkeys(SESSIONS, 0)
    store = await RedisStore.open(server.address, patience=STEADY)

    async def write(session: str) -> None:
        with contextlib.suppress(StoreUnavailable):
            while True:
                version = versions[session]
                await store.append(session, version, [record(version + 1)], request_id=f"r{version + 1}")
                versions[session] += 1
                if min(versions.values()) >= LEAST:
                    fatal.set()

    await asyncio.gather(*(write(session) for session in SESSIONS))
    await store.close()
    return versions


async def kept(server: RedisServer) -> dict[str, int]:
    """The version of each session that is there, once it is sure that nothing is missing before it."""
    store = await RedisStore.open(server.address)
    found = {}
    for session in SESSIONS:
        records = await store.read(session)
        assert records == [record(number) for number in range(1, len(records) + 1)]
        assert await store.recent_requests(session) == [f"r{number}" for number in range(1, len(records) + 1)]
        found[session] = len(records)
    await store.close()
    return found


async def lose_power(folder: Path, fsync: str) -> tuple[dict[str, int], dict[str, int]]:
    """What was acknowledged when the power went, and what is there once it is back."""
    options = ("--appendfsync", fsync)
    fatal = asyncio.Event()
    with frail_disk(folder / "frail") as disk, RedisServer(disk.path / "redis", *options) as server:
        writing = asyncio.create_task(acknowledged_until_the_power_goes(server, fatal))
        await asyncio.wait_for(fatal.wait(), 60)
        with disk.lose_power(server.pid, folder / "copy", folder / "again") as found:
            acknowledged = await writing
            with RedisServer(found / "redis", *options) as revived:
                return acknowledged, await kept(revived)


async def test_synced_always_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    acknowledged, there = await lose_power(tmp_path, "always")
    for session in SESSIONS:
        # The one under way may have reached the disk, without a reply.
        assert acknowledged[session] <= there[session] <= acknowledged[session] + 1


async def test_synced_every_second_the_end_of_a_log_may_be_lost_and_never_its_middle(tmp_path: Path) -> None:
    acknowledged, there = await lose_power(tmp_path, "everysec")
    assert min(acknowledged.values()) >= LEAST
    for session in SESSIONS:
        assert there[session] <= acknowledged[session] + 1


async def test_never_synced_it_loses_what_was_acknowledged_so_this_disk_does_forget(tmp_path: Path) -> None:
    acknowledged, there = await lose_power(tmp_path, "no")
    assert sum(there.values()) < sum(acknowledged.values())
