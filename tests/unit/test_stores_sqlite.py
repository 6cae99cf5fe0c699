"""What a SQLite store promises beyond the Protocol: durability, bounds, one owner, and hands off damaged files."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import uvloop

from emotional_ai_service.stores import (
    Durability,
    Record,
    SqliteStore,
    StoreCorrupt,
    StoreForeign,
    StoreLocked,
    StoreOverloaded,
    StoreTooNew,
    StoreUnusable,
    StoreUnwritable,
)
from emotional_ai_service.stores.sqlite_file import PAGE_BYTES, SCHEMA_VERSION, open_database


def numbered(first: int, count: int = 1) -> list[Record]:
    return [Record(n, 1_000 * n, f"payload {n}".encode() * 10) for n in range(first, first + count)]


async def filled(path: Path, sessions: int = 50) -> None:
    store = await SqliteStore.open(path)
    for number in range(sessions):
        store.append(f"s{number}", 0, numbered(1, 20), request_id="r", marks={"m": 1})
    await store.close()


def copied_in_flight(original: Path, path: Path) -> None:
    """Leaves at `path` what a killed process would leave: the newest writes in the write-ahead log only."""
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{original}{suffix}", f"{path}{suffix}")


async def crashed(path: Path) -> None:
    """50 sessions in the database and 50 in the log."""
    original = path.with_name("original.db")
    await filled(original)
    store = await SqliteStore.open(original)
    for number in range(50):
        pending = store.append(f"t{number}", 0, numbered(1, 20))
    await pending
    copied_in_flight(original, path)
    await store.close()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def contents(path: Path) -> dict[str, bytes]:
    """The database and its write-ahead log, byte by byte."""
    return {file.name: file.read_bytes() for file in (path, Path(f"{path}-wal")) if file.is_file()}


async def test_everything_is_there_after_reopening_and_no_log_is_left(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    await filled(path)
    assert names(tmp_path) == ["sessions.db", "sessions.db.lock"]
    store = await SqliteStore.open(path)
    assert len(await store.list_sessions()) == 50
    assert await store.read("s7") == numbered(1, 20)
    assert await store.find_request("s7", "r") == 20
    assert await store.marks("s7") == {"m": 1}
    await store.append("s7", 20, numbered(21))
    await store.close()


async def test_closing_settles_all_that_was_queued(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db")
    pending = [store.append("a", version, numbered(version + 1)) for version in range(2_000)]
    await store.close()
    assert all(one.done() and one.exception() is None for one in pending)


async def test_what_a_killed_process_left_is_read_from_its_log(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    await crashed(path)
    assert contents(path)["sessions.db-wal"]
    store = await SqliteStore.open(path)
    assert len(await store.list_sessions()) == 100
    assert await store.read("t49") == numbered(1, 20)
    await store.close()


async def test_a_write_goes_on_when_its_future_is_cancelled(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db")
    store.append("a", 0, numbered(1)).cancel()
    await store.append("a", 1, numbered(2))
    assert await store.read("a") == numbered(1, 2)
    await store.close()


async def test_a_full_queue_refuses_and_takes_writes_again_once_it_is_shorter(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db", queue_limit=3)
    pending = [store.append("a", version, numbered(version + 1)) for version in range(3)]
    with pytest.raises(StoreOverloaded, match="3"):
        store.append("a", 3, numbered(4))
    await asyncio.gather(*pending)
    await store.append("a", 3, numbered(4))
    assert await store.read("a") == numbered(1, 4)
    await store.close()


async def test_reads_beyond_the_bound_are_refused(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db", queue_limit=3)
    outcomes = await asyncio.gather(*(store.read("a") for _ in range(5)), return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome != []] != []
    assert all(outcome == [] or isinstance(outcome, StoreOverloaded) for outcome in outcomes)
    assert await store.read("a") == []
    await store.close()


async def test_a_value_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db")
    good, bad, other = (
        store.append("a", 0, numbered(1)),
        store.append("b", 0, numbered(1), marks={"m": 2**63}),
        store.append("c", 0, numbered(1)),
    )
    with pytest.raises(OverflowError):
        await bad
    await asyncio.gather(good, other)
    assert [row.session_id for row in await store.list_sessions()] == ["a", "c"]
    await store.append("b", 0, numbered(1))
    await store.close()


def test_it_serves_under_uvloop(tmp_path: Path) -> None:
    async def visit() -> list[Record]:
        store = await SqliteStore.open(tmp_path / "sessions.db")
        await asyncio.gather(*(store.append(f"s{number}", 0, numbered(1)) for number in range(100)))
        records = await store.read("s99")
        await store.close()
        return records

    assert uvloop.run(visit()) == numbered(1)


@pytest.mark.parametrize(("durability", "synchronous"), [(Durability.PROCESS, 1), (Durability.POWER, 2)])
def test_durability_decides_whether_a_commit_waits_for_the_disk(
    tmp_path: Path, durability: Durability, synchronous: int
) -> None:
    with closing(open_database(tmp_path / "sessions.db", durability)) as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_file_has_one_owner_under_whatever_name(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    store = await SqliteStore.open(path)
    (tmp_path / "other").symlink_to(path)
    for name in ("sessions.db", "other"):
        with pytest.raises(StoreLocked, match=r"sessions\.db is in use by process \d+"):
            await SqliteStore.open(tmp_path / name)
    await store.close()
    await (await SqliteStore.open(path)).close()


async def test_a_beginning_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    (tmp_path / "sessions.db.new").write_bytes(b"half a datab")
    (tmp_path / "sessions.db.new-journal").write_bytes(b"half a journal")
    await filled(path)
    assert names(tmp_path) == ["sessions.db", "sessions.db.lock"]


@pytest.mark.parametrize("name", ["missing/sessions.db", "file/sessions.db", "folder"])
async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreUnwritable, match=str(tmp_path / name)):
        await SqliteStore.open(tmp_path / name)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("dear diary, " * 1_000)


def header_gone(path: Path) -> None:
    path.write_bytes(bytes(16) + path.read_bytes()[16:])


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def only_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def last_byte_gone(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def inner_page_gone(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[20 * PAGE_BYTES : 21 * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    path.write_bytes(whole)


DAMAGES = [empty, text, header_gone, half, only_header, last_byte_gone, inner_page_gone]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "sessions.db"
    await filled(path)
    damage(path)
    await assert_refused(path, StoreCorrupt)


@pytest.mark.parametrize(
    "damage", [empty, header_gone, only_header, inner_page_gone], ids=lambda damage: damage.__name__
)
async def test_a_damaged_file_is_left_as_it_is_with_the_log_of_a_crash_beside_it(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "sessions.db"
    await crashed(path)
    damage(path)
    assert len(contents(path)) == 2
    await assert_refused(path, StoreCorrupt)


async def test_a_log_without_its_database_is_not_taken_for_a_new_store(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    await crashed(path)
    path.unlink()
    await assert_refused(path, StoreCorrupt)
    assert not path.exists()


def altered(statement: str) -> Callable[[Path], None]:
    def alter(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(statement)
            database.commit()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return alter


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("PRAGMA application_id = 7", StoreForeign),
        (f"PRAGMA user_version = {SCHEMA_VERSION + 1}", StoreTooNew),
        ("PRAGMA user_version = 0", StoreForeign),
        ("DROP TABLE marks", StoreForeign),
        ("CREATE TABLE diary (entry TEXT)", StoreForeign),
    ],
)
async def test_a_database_of_another_form_is_left_as_it_is(
    tmp_path: Path, statement: str, expected: type[StoreUnusable]
) -> None:
    path = tmp_path / "sessions.db"
    await filled(path)
    altered(statement)(path)
    await assert_refused(path, expected)


async def test_a_newer_database_is_left_as_it_is_with_the_log_of_a_crash_beside_it(tmp_path: Path) -> None:
    original, path = tmp_path / "original.db", tmp_path / "sessions.db"
    await filled(original)
    with closing(sqlite3.connect(original)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        copied_in_flight(original, path)
    assert len(contents(path)) == 2
    await assert_refused(path, StoreTooNew)


async def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "diary.db"
    altered("CREATE TABLE diary (entry TEXT)")(path)
    await assert_refused(path, StoreForeign)


async def assert_refused(path: Path, expected: type[StoreUnusable]) -> None:
    before = contents(path)
    for _ in range(2):
        with pytest.raises(expected, match=str(path)) as caught:
            await SqliteStore.open(path)
        assert caught.value.path == path
        assert contents(path) == before
