"""A file is replaced whole, and stays whose it was."""

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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_of_another_user_stays_that_users(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"one", mode=0o600)
    os.chown(tmp_path / "file", 10001, 10002)
    write_whole(tmp_path / "file", b"another", mode=0o600)
    found = (tmp_path / "file").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (10001, 10002, 0o600)
