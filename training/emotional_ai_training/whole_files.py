"""Files that are there whole or not at all, whatever ends the process that writes them."""

import errno
import os
import stat
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path


def write_whole(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replaces a file so that a reader, or a kill, finds the old content or the new; on disk once it returns.

    `mode` is who may read and write it, as far as the process leaves that open. Where root replaces a file of another user, it
    stays that user's. A link is replaced, not followed: root also writes into directories of others, whose links could lead
    anywhere.

    Raises OSError, also where something else than a file or a link is there, and then leaves nothing beside.
    """
    _check_replaceable(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with open(beside, "wb", opener=partial(os.open, mode=mode)) as file:
            _give(file.fileno(), path)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync(path.parent)


def _check_replaceable(path: Path) -> None:
    """Raises OSError for a directory, a pipe, a socket or a device."""
    with suppress(FileNotFoundError):
        kind = path.lstat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISLNK(kind):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))


def _give(file: int, path: Path) -> None:
    """Makes a new file the owner's of the one it is to replace."""
    if os.geteuid() != 0:
        return  # nobody else may give files away
    with suppress(FileNotFoundError):
        there = path.stat()
        os.fchown(file, there.st_uid, there.st_gid)


def sync(path: Path) -> None:
    """Has what was written to a file, or renamed in a directory, reach the disk."""
    with suppress(PermissionError):  # a directory that may be written but not read
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
