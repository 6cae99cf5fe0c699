"""Files that are read again when they change: the last good one stays in force, and a damaged one is told of once."""

import asyncio
import logging
from pathlib import Path

import pytest

from emotional_ai_service.alongside import alongside
from emotional_ai_service.reread import Reread


class NoNumber(Exception):
    """A file that holds no number."""


def number_in(path: Path) -> Reread[int]:
    def read() -> int:
        try:
            return int(path.read_text(encoding="ascii"))
        except (ValueError, OSError) as error:
            raise NoNumber(f"{path} holds no number") from error

    return Reread((path,), read, NoNumber)


def replace(path: Path, text: str) -> None:
    new = path.with_name("new")
    new.write_text(text, encoding="ascii")
    new.replace(path)


def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    replace(tmp_path / "n", "1")
    number = number_in(tmp_path / "n")
    assert number.read() == 1
    assert number.changed() is None
    replace(tmp_path / "n", "2")
    assert number.changed() == 2
    assert number.changed() is None


def test_a_damaged_file_is_told_of_once_and_read_as_soon_as_it_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    replace(tmp_path / "n", "1")
    number = number_in(tmp_path / "n")
    number.read()
    replace(tmp_path / "n", "one")
    assert [number.changed(), number.changed()] == [None, None]
    assert caplog.text.count("holds no number; what was read before stays in force") == 1
    (tmp_path / "n").unlink()
    assert number.changed() is None
    replace(tmp_path / "n", "3")
    assert number.changed() == 3
    replace(tmp_path / "n", "one")
    assert number.changed() is None
    assert caplog.text.count("holds no number") == 2


def test_what_cannot_be_read_at_first_is_raised(tmp_path: Path) -> None:
    with pytest.raises(NoNumber):
        number_in(tmp_path / "none").read()


def test_what_the_reader_does_not_expect_is_raised_and_the_change_is_seen_again(tmp_path: Path) -> None:
    replace(tmp_path / "n", "1")
    faults = [ZeroDivisionError()]

    def read() -> str:
        if (tmp_path / "n").read_text(encoding="ascii") == "2" and faults:
            raise faults.pop()
        return (tmp_path / "n").read_text(encoding="ascii")

    text = Reread((tmp_path / "n",), read, NoNumber)
    text.read()
    replace(tmp_path / "n", "2")
    with pytest.raises(ZeroDivisionError):
        text.changed()
    assert text.changed() == "2"


async def test_work_alongside_ends_with_what_it_stands_beside() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with alongside(work(), "work"):
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_what_work_alongside_fails_with_is_raised() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    async def stood() -> None:
        async with alongside(work(), "work"):
            await asyncio.sleep(0)

    with pytest.raises(ZeroDivisionError):
        await stood()


async def test_what_work_alongside_fails_with_is_logged_when_it_does(caplog: pytest.LogCaptureFixture) -> None:
    failed = asyncio.Event()

    async def work() -> None:
        failed.set()
        raise ZeroDivisionError

    async def stood() -> None:
        async with alongside(work(), "the work"):
            await failed.wait()
            await asyncio.sleep(0)
            assert "the work failed, and does not go on" in caplog.text
            assert "ZeroDivisionError" in caplog.text

    with pytest.raises(ZeroDivisionError):
        await stood()
