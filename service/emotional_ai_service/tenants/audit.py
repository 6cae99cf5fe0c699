"""The audit log: who changed what, a line of JSON each. Written by a thread of its own; nothing here waits for a disk.

    {"time": "2026-11-29T10:00:00.123456Z", "request_id": "r-7", "tenant": "acme", "token": "k3f9", "peer": "10.0.0.7",
     "method": "EmotionEngine/DeleteSession", "session": "ada", "code": "OK"}

Lines gather for a moment and are written together. While they cannot be written they are kept, in bounded number, and calls
that change something are refused or served, as the settings say.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, final

from emotional_ai_service.errors import AuditUnavailable
from emotional_ai_service.settings import AuditSettings, AuditSync, AuditWhenFull
from emotional_ai_service.tenants.audit_file import AuditFile, Line

GATHER_SECONDS: Final = 0.01
"""How long lines gather before they are written, where no answer waits for them."""
SYNC_SECONDS: Final = 1.0
"""Longest time between a line's being written and its being forced to the disk, where no answer waits for it."""
RETRY_SECONDS: Final = 1.0
"""Between tries while the file cannot be written."""
LINES_KEPT: Final = 10_000
"""Lines that may wait to be written."""

log = logging.getLogger(__name__)


@asynccontextmanager
async def auditing(settings: AuditSettings, clock: Callable[[], int]) -> AsyncIterator["Audit"]:
    """An audit log, written as long as the context lasts and to the end. Raises AuditUnusable."""
    file = await asyncio.to_thread(AuditFile, settings.path)
    with ThreadPoolExecutor(1, "audit") as thread:
        audit = Audit(settings, clock, file, thread)
        writing = asyncio.create_task(audit.write_all(), name="audit")
        try:
            yield audit
        finally:
            audit.end()
            await writing
            file.close()


@final
class Audit:
    """Takes lines, and writes them; all methods belong to the event loop that made it."""

    def __init__(
        self, settings: AuditSettings, clock: Callable[[], int], file: AuditFile, thread: ThreadPoolExecutor
    ) -> None:
        """`clock` tells wall microseconds since the epoch."""
        self.written = 0
        """Lines that are in the file."""
        self.lost = 0
        """Lines that found no room while the file could not be written."""
        self._each = settings.sync is AuditSync.EACH
        self._refuses = settings.when_full is AuditWhenFull.REFUSE
        self._clock = clock
        self._file = file
        self._thread = thread
        self._lines: list[Line] = []
        self._answers: list[asyncio.Future[None]] = []
        self._woken = asyncio.Event()
        self._ending = False
        self._sync_at = math.inf
        self._unsaid = 0
        self._complaint = ""

    def check(self) -> None:
        """Raises AuditUnavailable while nothing may be changed since it could not be written."""
        if self._complaint and self._refuses:
            raise AuditUnavailable(RETRY_SECONDS)

    def record(self, **said: str | int) -> asyncio.Future[None] | None:
        """Takes a line. Returns what to await before the answer, None where answers do not wait; it never fails."""
        if len(self._lines) >= LINES_KEPT:
            self.lost += 1
            self._unsaid += 1
            return None
        self._lines.append(Line(self._clock(), said))
        self._woken.set()
        if not self._each or self._complaint:
            return None
        self._answers.append(asyncio.get_running_loop().create_future())
        return self._answers[-1]

    def end(self) -> None:
        """Has `write_all` end once every line is written, or could not be."""
        self._ending = True
        self._woken.set()

    async def write_all(self) -> None:
        """Writes lines as they come."""
        while not self._ending or self._lines:
            await self._woken.wait()
            self._woken.clear()
            if not self._each and not self._ending:
                await asyncio.sleep(GATHER_SECONDS)
            lines, self._lines = self._lines, []
            answers, self._answers = self._answers, []
            if self._unsaid:
                lines.append(Line(self._clock(), {"method": "audit", "lost": self._unsaid}))
                self._unsaid = 0
            await self._write(lines, self._sync_due(), answers)

    def _sync_due(self) -> bool:
        loop = asyncio.get_running_loop()
        due = self._each or self._ending or loop.time() >= self._sync_at
        if due:
            self._sync_at = math.inf
        elif self._sync_at == math.inf:
            self._sync_at = loop.time() + SYNC_SECONDS
            loop.call_at(self._sync_at, self._woken.set)
        return due

    async def _write(self, lines: Sequence[Line], sync: bool, answers: Sequence[asyncio.Future[None]]) -> None:
        """Writes lines, trying again until it works or the service ends; those who wait are kept waiting for one try."""
        loop, fresh = asyncio.get_running_loop(), lines
        while True:
            try:
                await loop.run_in_executor(self._thread, partial(self._file.write, fresh, sync=sync))
            except OSError as error:
                self._failed(error)
                # Those too whose lines came meanwhile: they would wait until there is room.
                answers, self._answers = [*answers, *self._answers], []
            else:
                self.written += len(lines)
                self._recovered()
            for one in answers:
                if not one.done():
                    one.set_result(None)
            if not self._complaint:
                return
            if self._ending:
                log.error("the audit log ends without its last %d lines", len(lines) + len(self._lines))
                self._lines.clear()
                return
            fresh, answers = (), ()  # the file keeps what it could not write
            await asyncio.sleep(RETRY_SECONDS)

    def _failed(self, error: OSError) -> None:
        complaint = error.strerror or str(error)
        if complaint != self._complaint:
            self._complaint = complaint
            what = (
                "calls that change something are refused"
                if self._refuses
                else f"lines wait, and are lost beyond {LINES_KEPT}"
            )
            log.error("the audit log %s cannot be written: %s; %s until it can", self._file.path, complaint, what)

    def _recovered(self) -> None:
        if self._complaint:
            self._complaint = ""
            log.warning("the audit log %s can be written again", self._file.path)
