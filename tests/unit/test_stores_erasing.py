"""What is deleted or let go of leaves the files of a store, to the last byte."""

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from redis_server import RedisServer
from tiny_disk import room_for

from emotional_ai_service.stores import Record, SqliteStore, sqlite_scrub
from emotional_ai_service.stores.redis import RedisStore

SESSIONS = 60
STEPS = 3_000
"""So many that rows were moved between pages, and copies of some lie in the unused space of others."""


def words(session: int, *, old: bool = False) -> bytes:
    """What only records of a session hold; `old` what its first ones hold."""
    return f"{'EARLY' if old else 'LATER'}-{session:03d}-WORDS".encode()


def names(session: int) -> list[bytes]:
    """Every other thing kept of a session."""
    return [f"{kind}-{session:03d}-".encode() for kind in ("session", "request", "mark", "snapshot")]


def content(file: Path) -> bytes:
    """What a file holds; nothing if it has just been removed."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def left(path: Path, wanted: Iterable[bytes]) -> dict[str, int]:
    """How often any of `wanted` stands in each file beside the store."""
    sought = list(wanted)
    files = [file for file in path.parent.rglob("*") if file.is_file()]
    found = {file.name: sum(map(content(file).count, sought)) for file in files}
    return {name: count for name, count in found.items() if count}


async def lived(store: SqliteStore) -> list[int]:
    """Fills a store with sessions whose records lie between each other's; returns their versions."""
    draw, versions = random.Random(1), [0] * SESSIONS
    pending = None
    for step in range(STEPS):
        one = draw.randrange(SESSIONS)
        added = range(versions[one] + 1, versions[one] + 1 + draw.randrange(1, 4))
        said = words(one, old=step < STEPS // 2)
        records = [Record(number, step, said + bytes(draw.randrange(180))) for number in added]
        request, marks = f"request-{one:03d}-{step}", {f"mark-{one:03d}-{step % 40}": step}
        pending = store.append(f"session-{one:03d}-", versions[one], records, request_id=request, marks=marks)
        versions[one] = added[-1]
        if step % 50 == 0:
            store.put_snapshot(f"session-{one:03d}-", versions[one], f"snapshot-{one:03d}-".encode() + bytes(900))
    assert pending is not None
    await asyncio.wait_for(pending, 60)
    return versions


async def scrubbed(store: SqliteStore, session: int) -> None:
    """Returns once the store, which does not gather deletions, has scrubbed what was deleted before."""
    await store.note(f"session-{session:03d}-", {"after": 1})


async def test_of_a_deleted_session_no_byte_is_left_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    store = await SqliteStore.open(path, scrub_seconds=0)
    await lived(store)
    gone = range(0, SESSIONS, 2)
    sought = [one for session in gone for one in (words(session), words(session, old=True), *names(session))]
    assert left(path, sought)
    await asyncio.gather(*(store.delete(f"session-{session:03d}-") for session in gone))
    await scrubbed(store, 1)
    assert left(path, sought) == {}
    assert left(path, [words(1), *names(1)])
    await store.close()
    assert left(path, sought) == {}


async def test_of_a_past_that_was_let_go_no_byte_is_left_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    store = await SqliteStore.open(path, scrub_seconds=0)
    versions = await lived(store)
    assert left(path, [words(2, old=True)])
    trimmed = (Record(version - 1, STEPS, b"continued") for version in versions)
    await asyncio.gather(*(store.trim(f"session-{session:03d}-", record) for session, record in enumerate(trimmed)))
    await scrubbed(store, 2)
    assert left(path, [words(session, old=True) for session in range(SESSIONS)]) == {}
    assert left(path, [words(2)])
    assert [record.sequence for record in await store.read("session-002-")] == [versions[2] - 1, versions[2]]
    await store.close()


async def test_what_was_deleted_just_before_the_end_is_gone_with_it(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    store = await SqliteStore.open(path)
    await lived(store)
    for session in range(SESSIONS):
        await store.delete(f"session-{session:03d}-")
    await store.close()
    sought = [one for session in range(SESSIONS) for one in (words(session), words(session, old=True), *names(session))]
    assert left(path, sought) == {}
    again = await SqliteStore.open(path)
    assert await again.list_sessions() == []
    await again.close()


async def test_a_larger_file_is_not_written_anew_and_its_log_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_scrub, "REWRITTEN_BYTES", 0)
    path = tmp_path / "sessions.db"
    store = await SqliteStore.open(path, scrub_seconds=0)
    await lived(store)
    size, before = path.stat().st_size, left(path, [words(0)])
    await store.delete("session-000-")
    await scrubbed(store, 1)
    assert path.with_name("sessions.db-wal").stat().st_size <= 64 * 1024  # what `scrubbed` itself wrote
    assert path.stat().st_size >= size
    assert sum(left(path, [words(0)]).values()) < sum(before.values()) / 10
    await store.close()


async def test_a_scrub_that_fails_loses_nothing_is_told_and_made_up_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sessions.db"
    store = await SqliteStore.open(path, scrub_seconds=0)
    versions = await lived(store)
    with room_for(path.with_name("sessions.db-wal").stat().st_size + 200_000):
        await store.delete("session-000-")
        await scrubbed(store, 1)
    assert "what was deleted may still be read" in caplog.text
    assert await store.get_session("session-000-") is None
    for session, version in enumerate(versions[1:], start=1):
        kept = await store.read(f"session-{session:03d}-")
        assert [record.sequence for record in kept] == list(range(1, version + 1))
    await store.close()
    assert left(path, [words(0), words(0, old=True), *names(0)]) == {}


async def test_redis_holds_no_key_of_a_deleted_session_and_its_file_none_once_it_is_written_anew(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "redis"
    sought = [words(0), *names(0)]
    with RedisServer(folder) as server:
        store = await RedisStore.open(server.address)
        for session in (0, 1):
            await store.append(
                f"session-{session:03d}-", 0, [Record(1, 1, words(session)), Record(2, 2, words(session))]
            )
            await store.append(
                f"session-{session:03d}-",
                2,
                [Record(3, 3, words(session))],
                request_id=f"request-{session:03d}-",
                marks={f"mark-{session:03d}-": 1},
            )
            await store.trim(f"session-{session:03d}-", Record(2, 2, words(session)))
            store.put_snapshot(f"session-{session:03d}-", 3, f"snapshot-{session:03d}-".encode())
        await store.delete("session-000-")
        assert [key for key in server.all_keys() if "session-000-" in key] == []
        assert [key for key in server.all_keys() if "session-001-" in key]
        server.ask("BGREWRITEAOF")
        server.wait_for("INFO", "persistence", holds="aof_rewrite_in_progress:0")
        async with asyncio.timeout(60):
            while True:
                if left(folder / "any", sought) == {}:
                    break
                await asyncio.sleep(0.05)
        await store.close()
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert words(1) in kept
