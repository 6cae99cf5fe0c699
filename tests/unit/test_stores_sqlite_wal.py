"""A damaged write-ahead log is named and left as it is; what a kill leaves in a log is taken, to the last whole transaction.

Logs are made by a real store and copied beside their database while nothing is being written, which is what kill -9 leaves.
"""

import asyncio
import logging
import os
import random
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emotional_ai_service.stores import Durability, Record, SqliteStore, StoreCorrupt
from emotional_ai_service.stores.sqlite_file import PAGE_BYTES
from emotional_ai_service.stores.sqlite_wal import LogReading, read_log

HEADER, FRAME = 32, 24 + PAGE_BYTES
APPENDS = 30
"""Each a transaction of its own, of several frames."""


@dataclass(frozen=True)
class Crash:
    """The two files of a store whose process is gone."""

    database: bytes
    log: bytes

    @classmethod
    def of(cls, path: Path) -> "Crash":
        return cls(path.read_bytes(), wal(path).read_bytes())

    def left_at(self, path: Path) -> None:
        path.write_bytes(self.database)
        wal(path).write_bytes(self.log)

    def with_log(self, log: bytes) -> "Crash":
        return Crash(self.database, log)

    def inverted(self, *positions: int) -> "Crash":
        log = bytearray(self.log)
        for position in positions:
            log[position] ^= 0xFF
        return self.with_log(bytes(log))

    @property
    def ends(self) -> list[int]:
        """Bytes at which the transactions of the log end, in its own salts."""
        salts, frames = self.log[16:24], range(HEADER, len(self.log) - FRAME + 1, FRAME)
        own = (at for at in frames if self.log[at + 8 : at + 16] == salts)
        return [at + FRAME for at in own if struct.unpack_from(">I", self.log, at + 4) != (0,)]


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def record(sequence: int) -> Record:
    return Record(sequence, sequence, f"payload {sequence} ".encode() * 20)


async def append(store: SqliteStore, first: int, last: int) -> None:
    """Adds one record after another to the session, each in a transaction of its own."""
    for sequence in range(first, last + 1):
        await store.append("ada", sequence - 1, [record(sequence)], request_id=f"r{sequence}", marks={"m": sequence})


async def version(path: Path, durability: Durability = Durability.PROCESS) -> int:
    """How long the session is in the store at `path`, once it is sure that nothing is missing before."""
    store = await SqliteStore.open(path, durability)
    try:
        records = await store.read("ada")
        assert records == [record(number) for number in range(1, len(records) + 1)]
        row = await store.get_session("ada")
        assert (row.version if row else 0) == len(records)
        return len(records)
    finally:
        await store.close()


def opened(crash: Crash, durability: Durability = Durability.PROCESS) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sessions.db")
        crash.left_at(path)
        return asyncio.run(version(path, durability))


def assert_refused(crash: Crash, durability: Durability = Durability.PROCESS) -> str:
    """Refuses twice, names the log, and leaves both files; returns what is said."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sessions.db")
        crash.left_at(path)
        for _ in range(2):
            with pytest.raises(StoreCorrupt, match=re.escape(f"{path}-wal is damaged")) as caught:
                asyncio.run(SqliteStore.open(path, durability))
            assert caught.value.path == wal(path)
            assert Crash.of(path) == crash
        return str(caught.value)


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Crash:
    """A store of which everything is in the log."""

    async def lived() -> Crash:
        path = tmp_path_factory.mktemp("lived") / "sessions.db"
        store = await SqliteStore.open(path)
        await append(store, 1, APPENDS)
        crash = Crash.of(path)
        await store.close()
        return crash

    crash = asyncio.run(lived())
    assert len(crash.ends) == APPENDS
    assert crash.ends[-1] == len(crash.log)
    assert crash.ends[-1] - crash.ends[-2] > FRAME
    return crash


@pytest.mark.parametrize("durability", Durability)
@settings(max_examples=150)
@example(position=0)
@example(position=100)
@example(position=20_000)
@given(position=st.integers(0))
def test_a_wrong_byte_before_the_last_transaction_is_refused(
    crash: Crash, durability: Durability, position: int
) -> None:
    assert_refused(crash.inverted(position % crash.ends[-2]), durability)


@pytest.mark.parametrize("durability", Durability)
@pytest.mark.parametrize("byte", range(24))
def test_a_wrong_byte_in_the_head_of_an_end_is_refused(crash: Crash, durability: Durability, byte: int) -> None:
    assert_refused(crash.inverted(crash.ends[-2] - FRAME + byte), durability)


def test_a_wrong_byte_in_the_last_transaction_is_refused_as_long_as_its_end_is_behind(crash: Crash) -> None:
    for position in range(crash.ends[-2], crash.ends[-1] - FRAME, 97):
        assert "a transaction from there on" in assert_refused(crash.inverted(position))


def test_what_is_before_the_damage_is_kept_by_the_cut_that_is_told_and_the_rest_of_the_database_by_removing(
    crash: Crash, tmp_path: Path
) -> None:
    path = tmp_path / "its own folder" / "sessions.db"
    path.parent.mkdir()
    damaged = crash.inverted(crash.ends[9] + 3 * FRAME // 2)
    damaged.left_at(path)
    with pytest.raises(StoreCorrupt, match="20 transactions") as caught:
        asyncio.run(SqliteStore.open(path))
    subprocess.run(["sh", "-c", str(caught.value).rpartition(": ")[2]], check=True)
    assert asyncio.run(version(path)) == 10
    path.write_bytes(damaged.database)
    assert asyncio.run(version(path)) == 0


@settings(max_examples=150)
@given(length=st.integers(0))
def test_a_log_cut_at_any_length_is_taken_to_its_last_whole_transaction(crash: Crash, length: int) -> None:
    length %= len(crash.log) + 1
    whole = sum(end <= length for end in crash.ends)
    assert opened(crash.with_log(crash.log[:length])) == whole


@pytest.mark.parametrize("length", [0, 1, HEADER - 1, HEADER, HEADER + 1, HEADER + FRAME - 1, HEADER + FRAME])
def test_a_log_cut_in_its_first_frame_is_an_empty_one(crash: Crash, length: int) -> None:
    assert opened(crash.with_log(crash.log[:length])) == 0


def test_a_store_without_a_log_is_opened(crash: Crash, tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    crash.left_at(path)
    assert asyncio.run(version(path)) == APPENDS
    assert not wal(path).exists()
    assert asyncio.run(version(path)) == APPENDS


@pytest.mark.parametrize("length", [33, 2_000, 50_000])
def test_a_log_of_anything_else_is_refused(crash: Crash, length: int) -> None:
    assert "header" in assert_refused(crash.with_log(random.Random(length).randbytes(length)))
    assert "header" in assert_refused(crash.with_log(bytes(length)))


def test_a_header_that_says_what_sqlite_does_not_write_is_refused_though_its_sum_is_right(crash: Crash) -> None:
    for field, value in ((4, 3_007_001), (8, 0), (8, 3_000), (8, 1 << 31)):
        header = bytearray(crash.log[:24])
        struct.pack_into(">I", header, field, value)
        one = two = 0
        for first, second in struct.iter_unpack("<2I", header):
            one = (one + first + two) % 2**32
            two = (two + second + one) % 2**32
        assert_refused(crash.with_log(bytes(header) + struct.pack(">2I", one, two) + crash.log[HEADER:]))


def test_a_torn_last_frame_is_left_out_with_a_warning_and_what_is_written_then_is_not_taken_for_damaged(
    crash: Crash, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sessions.db"
    crash.inverted(len(crash.log) - 1).left_at(path)

    async def again() -> Crash:
        store = await SqliteStore.open(path)
        await store.note("ada", {"m": 0})  # in fewer frames than the torn transaction has
        after = Crash.of(path)
        await store.close()
        return after

    after = asyncio.run(again())
    assert [(one.levelno, str(wal(path)) in one.message) for one in caplog.records] == [(logging.WARNING, True)]
    assert opened(after) == APPENDS - 1
    assert opened(after, Durability.POWER) == APPENDS - 1


def test_a_power_cut_under_a_synced_commit_takes_that_transaction_alone(
    crash: Crash, caplog: pytest.LogCaptureFixture
) -> None:
    for lost in range(crash.ends[-2], crash.ends[-1], FRAME):
        log = crash.log[:lost] + bytes(FRAME) + crash.log[lost + FRAME :]
        assert opened(crash.with_log(log), Durability.POWER) == APPENDS - 1
    assert "torn" in caplog.text


def test_a_log_written_anew_over_an_earlier_round_is_taken_whole_and_its_damage_refused(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"

    async def lived() -> Crash:
        store = await SqliteStore.open(path)
        await append(store, 1, APPENDS)
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0
        await append(store, APPENDS + 1, APPENDS + 5)
        crash = Crash.of(path)
        await store.close()
        return crash

    crash = asyncio.run(lived())
    assert len(crash.ends) == 5
    assert len(crash.log) > crash.ends[-1] + APPENDS * FRAME
    assert opened(crash) == opened(crash, Durability.POWER) == APPENDS + 5
    for position in range(0, crash.ends[-2], 211):
        assert_refused(crash.inverted(position))
    for position in range(crash.ends[-1], len(crash.log), 1_009):
        assert opened(crash.inverted(position)) == APPENDS + 5


@contextmanager
def spilling(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction so large that frames of it are in the log before it ends."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")
        database.execute("BEGIN")
        database.execute("UPDATE records SET payload = randomblob(3000)")
        yield database


def test_frames_of_a_transaction_that_did_not_end_are_no_damage(crash: Crash, tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    crash.left_at(path)
    with closing(sqlite3.connect(path)) as holding:  # else the last one to leave would remove the log
        holding.execute("SELECT count(*) FROM records").fetchone()
        with spilling(path) as database:
            begun = Crash.of(path)
            database.execute("ROLLBACK")
            database.execute("UPDATE marks SET value = value + 1")
            followed = Crash.of(path)
    assert len(begun.log) == len(followed.log) > len(crash.log) + 20 * FRAME
    assert begun.ends == crash.ends
    assert len(followed.ends) == len(crash.ends) + 1
    for one in (begun, followed):
        assert opened(one) == opened(one, Durability.POWER) == APPENDS


def test_the_log_of_a_process_that_ended_at_once_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    done = subprocess.run([sys.executable, __file__, str(path)], check=False, timeout=60)
    assert done.returncode == 9
    crash = Crash.of(path)
    assert read_log(wal(path)) == LogReading(len(crash.log), len(crash.log), 0, False)
    assert_refused(crash.inverted(HEADER + 50))
    assert asyncio.run(version(path)) == APPENDS


async def end_at_once(path: Path) -> None:
    await append(await SqliteStore.open(path), 1, APPENDS)
    os._exit(9)


if __name__ == "__main__":
    asyncio.run(end_at_once(Path(sys.argv[1])))
