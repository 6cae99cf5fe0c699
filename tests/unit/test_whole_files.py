"""A file is replaced whole, and stays whose it was; nothing but a file is replaced."""

import os
from pathlib import Path

import pytest

from emotional_ai_training.whole_files import write_whole


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    for content in (b"one", b"another"):
        write_whole(tmp_path / "file", content, mode=0o600)
        assert (tmp_path / "file").read_bytes() == content
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"one")
    (tmp_path / "file").symlink_to("other")
    write_whole(tmp_path / "file", b"another")
    assert not (tmp_path / "file").is_symlink()
    assert ((tmp_path / "file").read_bytes(), (tmp_path / "other").read_bytes()) == (b"another", b"one")


def test_a_pipe_or_a_directory_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(OSError, match="Not a regular file"):
            write_whole(tmp_path / name, b"one")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "pipe"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_of_another_user_stays_that_users(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"one", mode=0o600)
    os.chown(tmp_path / "file", 10001, 10002)
    write_whole(tmp_path / "file", b"another", mode=0o600)
    found = (tmp_path / "file").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (10001, 10002, 0o600)
