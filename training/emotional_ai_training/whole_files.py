"""Files that are there whole or not at all, whatever ends the process that writes them."""

import os
import threading
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replaces a file so that a reader, or a kill, finds the old content or the new; on disk once it returns.

    Raises OSError, and then leaves nothing beside.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Has what was written to a file, or renamed in a directory, reach the disk."""
    with suppress(PermissionError):  # a directory that may be written but not read
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
