"""The file of Kiro's settings is written whole or not at all, and stays what it was otherwise."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emotional_ai.kiro import SettingsBroken, SettingsUnreachable, read, settings_file, write


def test_kiro_looks_below_its_folder() -> None:
    assert settings_file(Path("/w")) == Path("/w/.kiro/settings/mcp.json")


def test_folders_are_made_and_nothing_but_the_file_is_in_them(tmp_path: Path) -> None:
    path = settings_file(tmp_path)
    write(path, "{}\r\n")
    assert path.read_bytes() == b"{}\r\n"
    assert list(path.parent.iterdir()) == [path]
    assert read(path) == "{}\r\n"


def test_a_file_that_is_not_there_has_no_text(tmp_path: Path) -> None:
    assert read(tmp_path / "mcp.json") is None


def test_the_file_is_replaced_and_not_written_over(tmp_path: Path) -> None:
    path, old = tmp_path / "mcp.json", tmp_path / "old"
    path.write_text("before")
    os.link(path, old)
    write(path, "after")
    assert (path.read_text(), old.read_text()) == ("after", "before")


def test_the_mode_stays(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text("{}")
    path.chmod(0o600)
    write(path, "{ }")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    path, true = tmp_path / "mcp.json", tmp_path / "elsewhere" / "kiro.json"
    true.parent.mkdir()
    path.symlink_to(true)
    assert read(path) is None
    write(path, "{}")
    assert path.is_symlink()
    assert true.read_text() == read(path) == "{}"
    assert list(true.parent.iterdir()) == [true]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".kiro").write_text("")
    path = settings_file(tmp_path)
    with pytest.raises(SettingsUnreachable, match=f"^cannot read {path}: Not a directory$"):
        read(path)
    with pytest.raises(SettingsUnreachable, match=f"^cannot write {path}: "):
        write(path, "{}")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_read(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    make(path)
    with pytest.raises(SettingsUnreachable, match=f"^cannot read {path}: it is no regular file$"):
        read(path)


def test_a_directory_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.mkdir()
    with pytest.raises(SettingsUnreachable, match=f"^cannot write {path}: Is a directory$"):
        write(path, "{}")
    assert list(tmp_path.iterdir()) == [path]


def test_a_ring_of_links_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.symlink_to(path)
    with pytest.raises(SettingsUnreachable, match=f"^cannot read {path}: Too many levels of symbolic links$"):
        read(path)


def test_what_is_not_text_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text("{}")
    with pytest.raises(SettingsUnreachable, match=r"a path or a value in it is not text, it holds '\\udcff'$"):
        write(path, '{"command": "/home/\udcff/python"}')
    assert path.read_text() == "{}"


def test_bytes_that_are_not_utf_8_are_told_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes('{\n "ä": "'.encode() + b"\xff")
    with pytest.raises(SettingsBroken, match="byte 0xff is not UTF-8") as caught:
        read(path)
    assert (caught.value.line, caught.value.column) == (2, 8)
