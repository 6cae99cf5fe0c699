"""What was deleted leaves the file of a SQLite store, and the write-ahead log beside it.

SQLite writes zeros over what is deleted (secure_delete), but its log holds the old pages until it is cut off, and when it moves
rows between pages it leaves copies in the unused space of pages. Writing the database anew removes those; that is done while
it is small enough for writers to wait. In a larger file copies of a few rows may lie in unused space until it is used again.
What a file system or a disk keeps of earlier contents (snapshots, journals, worn blocks) is beyond this.
"""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Final, final

REWRITTEN_BYTES: Final = 32 * 2**20
"""Databases up to this size are written anew: about 14 ms a MiB, in which writes wait."""
DELAY_SECONDS: Final = 1.0
"""How long deletions are gathered."""
SHARE: Final = 0.05
"""Share of the time that may go into scrubbing."""
TROUBLE_SECONDS: Final = 60.0
"""Between two tries where one failed."""

log = logging.getLogger(__name__)


@final
class Scrubber:
    """Scrubs the file at `path` through the writer's connection, `delay_seconds` after something was deleted."""

    def __init__(self, path: Path, database: sqlite3.Connection, delay_seconds: float = DELAY_SECONDS) -> None:
        self._path = path
        self._database = database
        self._delay = delay_seconds
        self._rest_until = 0.0
        self._due: float | None = None

    def note(self) -> None:
        """Something has been deleted."""
        if self._due is None:
            self._due = max(time.monotonic() + self._delay, self._rest_until)

    @property
    def wait_seconds(self) -> float | None:
        """Seconds until scrubbing is due, 0 if it is; None if nothing was deleted."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def run(self) -> None:
        """Scrubs. What fails is logged and tried again; nothing that is kept is ever lost by it."""
        began = time.monotonic()
        try:
            (pages,) = self._database.execute("PRAGMA page_count").fetchone()
            (size,) = self._database.execute("PRAGMA page_size").fetchone()
            if pages * size <= REWRITTEN_BYTES:
                self._database.execute("VACUUM")
            (busy, _, _) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            problem = "somebody else reads it" if busy else ""
        except sqlite3.Error as error:
            problem = str(error)
        now = time.monotonic()
        self._rest_until = now + (now - began) / SHARE
        self._due = now + TROUBLE_SECONDS if problem else None
        if problem:
            log.warning("what was deleted may still be read in %s, it is tried again: %s", self._path, problem)
