"""kill -9 in the middle of appends: everything acknowledged is there, once, and in order.

This file is also the process that is killed: `python test_store_kill.py FILE DURABILITY` appends to several sessions from where
they stand and prints each append that was acknowledged.
"""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from emotional_ai_service.stores import Durability, Record, SqliteStore, StoreLocked

SESSIONS = ("a", "b", "c", "d")


def payload(session: str, sequence: int) -> bytes:
    return f"{session}/{sequence};".encode() * (1 + sequence % 40)


async def append_forever(store: SqliteStore, session: str) -> None:
    row = await store.get_session(session)
    version = row.version if row else 0
    while True:
        count = 1 + version % 3
        records = [Record(n, n, payload(session, n)) for n in range(version + 1, version + count + 1)]
        version += count
        pending = store.append(
            session, version - count, records, request_id=f"{session}-{version}", marks={"last": version}
        )
        await pending
        os.write(1, f"{session} {version}\n".encode())


async def work(path: Path, durability: Durability) -> None:
    store = await SqliteStore.open(path, durability)
    async with asyncio.TaskGroup() as tasks:
        for session in SESSIONS:
            tasks.create_task(append_forever(store, session))


def kill_after(lines: int, path: Path, durability: Durability) -> dict[str, int]:
    """Runs the process until it has printed so many lines, kills it; returns the version acknowledged by session."""
    acknowledged: dict[str, int] = {}
    command = [sys.executable, __file__, str(path), durability.value]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number, line in enumerate(process.stdout, 1):
            if line.endswith("\n"):
                session, version = line.split()
                acknowledged[session] = int(version)
            if number == lines:
                with pytest.raises(StoreLocked, match=f"process {process.pid}"):
                    asyncio.run(SqliteStore.open(path))
                process.kill()
        assert process.wait(30) == -9
    return acknowledged


async def check(path: Path, acknowledged: dict[str, int]) -> None:
    store = await SqliteStore.open(path)
    for session in SESSIONS:
        row = await store.get_session(session)
        version = row.version if row else 0
        assert version >= acknowledged.get(session, 0)
        records = await store.read(session)
        assert [record.sequence for record in records] == list(range(1, version + 1))
        assert all(record.payload == payload(session, record.sequence) for record in records)
        requests = await store.recent_requests(session, 10**6)
        assert len(set(requests)) == len(requests)
        if session in acknowledged:
            known = acknowledged[session]
            assert await store.find_request(session, f"{session}-{known}") == known
        assert await store.marks(session) == ({"last": version} if version else {})
    await store.close()


@pytest.mark.parametrize(("durability", "kills"), [(Durability.PROCESS, 6), (Durability.POWER, 2)])
def test_kill_loses_nothing_acknowledged_and_doubles_nothing(
    tmp_path: Path, durability: Durability, kills: int
) -> None:
    path = tmp_path / "sessions.db"
    chance = random.Random(durability.value)
    for _ in range(kills):
        acknowledged = kill_after(chance.randint(1, 1_500), path, durability)
        assert acknowledged
        # Every second time the killed process is followed by another without a clean close in between.
        if chance.random() < 0.5:
            acknowledged |= kill_after(chance.randint(1, 300), path, durability)
        asyncio.run(check(path, acknowledged))


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), Durability(sys.argv[2])))
