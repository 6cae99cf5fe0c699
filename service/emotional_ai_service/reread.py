"""Files that are read again when they change; while they are damaged, what was read before stays in force."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar, final

T = TypeVar("T")
Mark = tuple[int, int, int]

_NOT_THERE: Final = (0, 0, 0)

log = logging.getLogger(__name__)


@final
class Reread(Generic[T]):
    """What files hold, by a reader that raises `unusable` for those it cannot read. Safe to share between threads; blocks."""

    def __init__(
        self, paths: Sequence[Path], reader: Callable[[], T], unusable: type[Exception] | tuple[type[Exception], ...]
    ) -> None:
        self._paths = tuple(paths)
        self._reader = reader
        self._unusable = unusable
        self._lock = threading.Lock()
        self._marks: tuple[Mark, ...] = ()
        self._complaint = ""

    def read(self) -> T:
        """What the files hold now. Raises what the reader raises."""
        with self._lock:
            return self._read()

    def changed(self) -> T | None:
        """What the files hold, if they were changed since they were read; None too where they are damaged, which is logged."""
        with self._lock:
            if self._seen() == self._marks:
                return None
            try:
                found = self._read()
            except self._unusable as error:
                if str(error) != self._complaint:
                    self._complaint = str(error)
                    log.error("%s; what was read before stays in force", error)
                return None
            self._complaint = ""
            log.info("%s was read again", self._paths[0])
            return found

    def _read(self) -> T:
        seen = self._seen()  # Before it is read, so that a change meanwhile is seen the next time.
        found = self._reader()
        self._marks = seen
        return found

    def _seen(self) -> tuple[Mark, ...]:
        return tuple(map(mark_of, self._paths))


def mark_of(path: Path) -> Mark:
    """Differs once a file was changed, in its permissions too, or replaced: its number, time of change and size."""
    try:
        seen = path.stat()
    except OSError:
        return _NOT_THERE
    return seen.st_ino, seen.st_ctime_ns, seen.st_size
