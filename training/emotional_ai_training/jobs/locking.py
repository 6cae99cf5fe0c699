"""A lock that a process may hand to another it starts: held as long as one of them lives, given up by the kernel."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final, Self, final

_GLANCE_SECONDS: Final = 0.001
"""Longer than it takes to look whether a lock is held."""


@final
class FileLock:
    """A lock that is held. The file stays when it is given up: its presence means nothing."""

    def __init__(self, descriptor: int) -> None:
        """Takes over a descriptor whose lock is held, such as one inherited."""
        self.descriptor = descriptor

    def sign(self) -> None:
        """Writes into the file which process this is, for whoever wants to signal the holder."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets go; a process the lock was handed to still holds it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def take_lock(path: Path) -> FileLock | None:
    """The lock, or None if another holds it. Raises OSError where no lock file can be."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _try(descriptor, fcntl.LOCK_EX):
            if not _try(descriptor, fcntl.LOCK_SH):
                os.close(descriptor)
                return None
            # Nobody has it to himself: others only look whether anybody does.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            time.sleep(_GLANCE_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)  # what stands there is of an earlier holder
    return FileLock(descriptor)


def held(path: Path) -> bool:
    """Whether somebody holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """Process that holds the lock and signed it; None if nobody does, or has not signed yet."""
    try:
        signed = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    return int(signed) if signed.isdecimal() and held(path) else None


def _try(descriptor: int, kind: int) -> bool:
    """Takes the lock in exchange for the one held on this descriptor, if any; False, at once, if others are in the way."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
