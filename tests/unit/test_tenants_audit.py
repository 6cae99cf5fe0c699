"""The file of the audit log: every line whole, whatever happens to the file, and nothing changed unseen while it is full."""

import asyncio
import json
import os
import shutil
import stat
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tenants import until
from tiny_disk import room_for

from emotional_ai_service.errors import AuditUnavailable
from emotional_ai_service.settings import AuditSettings, AuditSync, AuditWhenFull
from emotional_ai_service.tenants import audit as audit_module
from emotional_ai_service.tenants.audit import GATHER_SECONDS, LINES_KEPT, Audit, auditing
from emotional_ai_service.tenants.audit_file import AuditFile, Line
from emotional_ai_service.tenants.errors import AuditUnusable

NOON_US = 1_795_953_600_123_456


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@asynccontextmanager
async def kept(path: Path, **how: Any) -> AsyncIterator[Audit]:
    async with auditing(AuditSettings(path, **how), lambda: NOON_US) as audit:
        yield audit


def text(path: Path) -> str:
    return path.read_bytes().decode()


def write(path: Path, said: str) -> None:
    path.write_text(said)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def lines(path: Path) -> list[dict[str, Any]]:
    *whole, rest = text(path).split("\n")
    assert rest == ""
    return [json.loads(line) for line in whole]


def numbers(path: Path) -> list[int]:
    return [line["number"] for line in lines(path)]


async def test_a_line_says_when_and_leaves_out_what_is_empty(path: Path) -> None:
    async with kept(path) as audit:
        assert audit.record(tenant="acme", session="", code="OK", number=0) is None
    assert lines(path) == [{"time": "2026-11-29T12:00:00.123456Z", "tenant": "acme", "code": "OK", "number": 0}]
    assert text(path).index('"time"') == 1
    assert mode(path) == 0o600


async def test_text_that_looks_like_lines_stays_in_its_line(path: Path) -> None:
    odd = 'a\n{"code": "OK"}\r\u2028\x00"\\é'
    async with kept(path) as audit:
        audit.record(session=odd)
    assert [line["session"] for line in lines(path)] == [odd]
    assert text(path).count("\n") == 1


async def test_a_log_goes_on_where_it_ended_and_ends_a_line_that_was_cut(path: Path) -> None:
    write(path, '{"number": 0}\n{"num')
    async with kept(path) as audit:
        audit.record(number=1)
    whole, cut, added = text(path).splitlines()
    assert (whole, cut) == ('{"number": 0}', '{"num')
    assert json.loads(added)["number"] == 1


async def test_where_each_line_is_forced_the_answer_waits_for_it(path: Path) -> None:
    async with kept(path, sync=AuditSync.EACH) as audit:
        pending = [audit.record(number=number) for number in range(20)]
        assert all(one is not None for one in pending)
        await asyncio.wait_for(asyncio.gather(*(one for one in pending if one is not None)), 30)
        assert numbers(path) == list(range(20))


async def test_lines_come_within_a_moment_and_in_order(path: Path) -> None:
    async with kept(path) as audit:
        for number in range(500):
            audit.record(number=number)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await until(lambda: audit.written == 500)
        assert numbers(path) == list(range(500))


async def test_a_log_that_is_renamed_or_removed_goes_on_in_a_new_file(path: Path) -> None:
    async with kept(path) as audit:
        for number, away in enumerate((lambda: path.rename(f"{path}.1"), path.unlink)):
            audit.record(number=number)
            await until(lambda number=number: audit.written == number + 1)
            away()
        audit.record(number=2)
    assert numbers(Path(f"{path}.1")) == [0]
    assert numbers(path) == [2]


async def test_a_log_that_is_copied_and_truncated_goes_on_at_its_beginning(path: Path) -> None:
    async with kept(path) as audit:
        audit.record(number=0)
        await until(lambda: audit.written == 1)
        shutil.copy(path, f"{path}.1")
        os.truncate(path, 0)
        audit.record(number=1)
    assert numbers(Path(f"{path}.1")) == [0]
    assert numbers(path) == [1]


async def test_a_log_that_cannot_be_written_is_refused_at_the_start_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "audit.log", tmp_path):
        with pytest.raises(AuditUnusable, match=f"{path} cannot be written: .*; name another file with --audit"):
            async with kept(path):
                pass


async def test_a_disk_that_stalls_holds_nobody_up_but_the_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, write = threading.Event(), AuditFile.write

    def stalling(self: AuditFile, lines: Sequence[Line], *, sync: bool) -> None:
        goes_on.wait(30)
        write(self, lines, sync=sync)

    monkeypatch.setattr(AuditFile, "write", stalling)
    async with kept(path) as audit:
        audit.record(number=0)
        await asyncio.sleep(2 * GATHER_SECONDS)  # the line is being written
        for number in range(1, 100):
            audit.record(number=number)
            await asyncio.sleep(0)
        assert audit.written == 0
        goes_on.set()
    assert numbers(path) == list(range(100))


# ---- no room


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the file tried again soon."""
    monkeypatch.setattr(audit_module, "RETRY_SECONDS", 0.02)


@pytest.mark.usefixtures("soon")
async def test_while_there_is_no_room_nothing_may_change_and_no_line_is_lost_or_cut(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with kept(path) as audit:
        audit.check()
        with room_for(1_000):
            for number in range(200):
                audit.record(number=number, session="s" * 100)
            await until(lambda: "cannot be written" in caplog.text)
            with pytest.raises(AuditUnavailable, match="nothing is changed unseen"):
                audit.check()
        await until(lambda: audit.written == 200)
        audit.check()
    assert numbers(path) == list(range(200))
    assert "calls that change something are refused until it can" in caplog.text
    assert "can be written again" in caplog.text


@pytest.mark.usefixtures("soon")
async def test_where_calls_are_served_on_what_is_lost_is_counted_and_told(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "LINES_KEPT", 10)
    async with kept(path, when_full=AuditWhenFull.SERVE) as audit:
        with room_for(10):
            audit.record(number=0)
            await until(lambda: "cannot be written" in caplog.text)
            audit.check()
            for number in range(1, 31):
                audit.record(number=number)
            assert audit.lost == 20
        await until(lambda: audit.written == 12)
    assert [line.get("number", line.get("lost")) for line in lines(path)] == [*range(11), 20]


@pytest.mark.usefixtures("soon")
async def test_a_service_that_ends_without_room_says_how_many_lines_it_could_not_write(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with room_for(10):
        async with kept(path, sync=AuditSync.EACH) as audit:
            pending = [audit.record(number=number) for number in range(3)]
            await asyncio.wait_for(asyncio.gather(*(one for one in pending if one is not None)), 30)
    assert "ends without its last 3 lines" in caplog.text


async def test_lines_that_wait_are_bounded(path: Path) -> None:
    async with kept(path) as audit:
        for number in range(LINES_KEPT + 5):
            audit.record(number=number)
        assert audit.lost == 5
    assert lines(path)[-1]["lost"] == 5


@pytest.mark.usefixtures("soon")
async def test_an_answer_that_waits_behind_a_try_that_fails_does_not_wait_until_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, write = threading.Event(), AuditFile.write
    tried = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stalling(self: AuditFile, lines: Sequence[Line], *, sync: bool) -> None:
        loop.call_soon_threadsafe(tried.set)
        goes_on.wait(30)
        write(self, lines, sync=sync)

    monkeypatch.setattr(AuditFile, "write", stalling)
    async with kept(path, sync=AuditSync.EACH, when_full=AuditWhenFull.SERVE) as audit:
        with room_for(0):
            first = audit.record(number=0)
            await asyncio.wait_for(tried.wait(), 30)
            behind = audit.record(number=1)
            assert first is not None
            assert behind is not None
            goes_on.set()
            await asyncio.wait_for(asyncio.gather(first, behind), 10)
            assert audit.written == 0
        await until(lambda: audit.written == 2)
    assert numbers(path) == [0, 1]
