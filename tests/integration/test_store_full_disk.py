"""A disk that is full: a clear error, nothing acknowledged that is not stored, and work goes on once there is room.

This file is also a process of its own: `python test_store_full_disk.py FILE` limits the size of the files it may write.
"""

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emotional_ai_service.stores import Record, SqliteStore, StoreUnavailable, StoreUnwritable


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def record(sequence: int, size: int = 3_000) -> Record:
    return Record(sequence, sequence, sequence.to_bytes(4, "big") * (size // 4))


async def fill(store: SqliteStore, version: int) -> int:
    """Appends until the disk is full; returns the version acknowledged last."""

    async def append_on() -> None:
        nonlocal version
        while True:
            await store.append("a", version, [record(version + 1)])
            version += 1

    with pytest.raises(StoreUnavailable, match=r"sessions\.db.*full"):
        await append_on()
    return version


async def test_a_full_disk_is_named_reads_go_on_and_so_does_writing_once_there_is_room(small_disk: Path) -> None:
    ballast, path = small_disk / "ballast", small_disk / "sessions.db"
    ballast.write_bytes(bytes(300_000))
    store = await SqliteStore.open(path)
    version = await fill(store, 0)
    assert version > 10
    assert await store.read("a") == [record(n) for n in range(1, version + 1)]
    with pytest.raises(StoreUnavailable):
        await store.append("b", 0, [record(1, 200_000)])

    ballast.unlink()
    await store.append("a", version, [record(version + 1)])
    version = await fill(store, version + 1)
    await store.close()

    store = await SqliteStore.open(path)
    assert await store.read("a") == [record(n) for n in range(1, version + 1)]
    assert await store.get_session("b") is None
    await store.close()


async def test_a_store_cannot_begin_on_a_full_disk_and_begins_once_there_is_room(small_disk: Path) -> None:
    ballast, path = small_disk / "ballast", small_disk / "sessions.db"
    ballast.write_bytes(bytes(2**20 - 8_192))
    with pytest.raises(StoreUnavailable, match="full"):
        await SqliteStore.open(path)
    assert not (small_disk / "sessions.db").exists()
    ballast.unlink()
    store = await SqliteStore.open(path)
    await store.append("a", 0, [record(1)])
    await store.close()


async def test_a_disk_without_a_single_free_block_is_named_too(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(2**20))
    with pytest.raises(StoreUnwritable, match=r"sessions\.db.*No space left"):
        await SqliteStore.open(small_disk / "sessions.db")


async def meet_the_limit(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.append("a", 0, [record(1)])
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
    together = [store.append("a", 1, [record(2, 400_000)]), store.append("b", 0, [record(1)])]
    for outcome in await asyncio.gather(*together, return_exceptions=True):
        assert isinstance(outcome, StoreUnavailable), outcome
        assert str(path) in str(outcome)
    assert await store.read("a") == [record(1)]
    assert [row.session_id for row in await store.list_sessions()] == ["a"]
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await store.append("a", 1, [record(2, 400_000)])
    await store.append("b", 0, [record(1)])
    await store.close()

    store = await SqliteStore.open(path)
    assert await store.read("a") == [record(1), record(2, 400_000)]
    assert await store.read("b") == [record(1)]
    await store.close()


def test_a_write_past_the_size_limit_fails_whole_and_the_store_recovers(tmp_path: Path) -> None:
    command = [sys.executable, __file__, str(tmp_path / "sessions.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


if __name__ == "__main__":
    asyncio.run(meet_the_limit(Path(sys.argv[1])))
