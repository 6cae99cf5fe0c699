"""The file of the audit log: lines added at its end. Belongs to one thread at a time."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path
from typing import Final, NamedTuple, final

from emotional_ai_service.tenants.errors import AuditUnusable

_MODE: Final = 0o600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """One call that changed something, or was to."""

    time_us: int
    """When it was answered, wall microseconds since the epoch."""
    said: Mapping[str, str | int]
    """What else the line says, in order; what is empty is left out."""

    def __str__(self) -> str:
        # As json.dumps says it, at a quarter of the cost.
        seconds, rest = divmod(self.time_us, 1_000_000)
        said = [
            f', "{name}": {_quoted(value) if isinstance(value, str) else value}'
            for name, value in self.said.items()
            if value != ""
        ]
        return f'{{"time": "{_second(seconds)}.{rest:06d}Z"{"".join(said)}}}'


@final
class AuditFile:
    """Opened for appending alone, so that what copies and truncates it, and what renames it, may rotate it."""

    def __init__(self, path: Path) -> None:
        """Opens the file, which is made if it is not there. Raises AuditUnusable."""
        self.path = path
        self._rest = b""
        try:
            self._opened = _opened(path)
        except OSError as error:
            raise AuditUnusable(path, error.strerror or str(error)) from error

    def write(self, lines: Sequence[Line], *, sync: bool) -> None:
        """Writes lines behind what could not be written before, and has all reach the disk if `sync`.

        Raises OSError; what is missing is kept for the next time, so that a line is never cut in two for good.
        """
        self._rest += "".join(f"{line}\n" for line in lines).encode()
        if not self._is_there():
            self._follow()
        while self._rest:
            self._rest = self._rest[os.write(self._opened, self._rest) :]
        if sync:
            os.fsync(self._opened)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._opened)

    def _is_there(self) -> bool:
        known = os.fstat(self._opened)
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return (known.st_dev, known.st_ino) == (there.st_dev, there.st_ino)

    def _follow(self) -> None:
        """Opens the file anew, which was renamed or removed."""
        opened = _opened(self.path)
        os.fsync(self._opened)
        os.close(self._opened)
        self._opened = opened


def _opened(path: Path) -> int:
    """The file, at its end; a line that a kill cut short is ended. Raises OSError."""
    opened = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        size = os.fstat(opened).st_size
        if size and os.pread(opened, 1, size - 1) != b"\n":
            os.write(opened, b"\n")
    except BaseException:
        os.close(opened)
        raise
    return opened


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
