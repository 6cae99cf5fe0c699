"""Gives queued jobs their turn: one runs at a time, in the order they were asked for.

The turn is a lock that the running job holds itself, so that it is kept through a restart of the service and among services
that share a directory. What was interrupted is never run again by itself.
"""

import asyncio
import logging
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, final

from emotional_ai_training.jobs import JobDirectory, JobsDirectory, Outcome, Standing, launch

POLL_SECONDS: Final = 0.5
"""How long to wait before asking for a turn again that another process holds."""
TROUBLE_SECONDS: Final = 5.0
"""The same after the directory could not be read or written."""
NICENESS: Final = 10
"""How far jobs stand back for the service."""

log = logging.getLogger(__name__)


@final
class Scheduler:
    """Runs the jobs of a directory with `target` (module:function). `clock` gives wall microseconds."""

    def __init__(self, directory: JobsDirectory, target: str, clock: Callable[[], int]) -> None:
        self._directory = directory
        self._target = target
        self._clock = clock
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Has the queue looked at now."""
        self._woken.set()

    async def run(self) -> None:
        """Looks at the queue whenever it is woken, and, while jobs wait, now and then; for ever."""
        while True:
            self._woken.clear()
            try:
                seconds = POLL_SECONDS if await asyncio.to_thread(self._turn) else None
            except Exception:  # whatever it is, the jobs behind it are to have their turn
                log.exception("no queued job could be given its turn; trying again in %.0f s", TROUBLE_SECONDS)
                seconds = TROUBLE_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()

    def _turn(self) -> bool:
        """Starts the next job if none runs; returns whether jobs wait."""
        waiting = self._directory.queued()
        slot = self._directory.slot() if waiting else None
        if slot is None:
            return bool(waiting)
        with slot:
            for job in waiting:
                lock = job.begin()
                if lock is None:
                    continue
                with lock:
                    try:
                        process = launch(job, lock, target=self._target, niceness=NICENESS, beside=[slot])
                    except OSError as error:
                        self._could_not_start(job, error)
                        continue
                log.info("job %s runs as process %d", job.job_id, process.pid)
                threading.Thread(target=self._reap, args=(process,), name=f"reap {job.job_id}", daemon=True).start()
                break
        return True

    def _could_not_start(self, job: JobDirectory, error: OSError) -> None:
        log.error("job %s could not be started: %s", job.job_id, error)
        said = f"its process could not be started: {error.strerror or error}"
        attempt = job.record().attempt
        job.end(Outcome(attempt=attempt, status=Standing.FAILED, ended_us=self._clock(), error=said))

    def _reap(self, process: "subprocess.Popen[bytes]") -> None:
        """In a thread of its own, which ends with the job or with the service."""
        process.wait()
        with suppress(RuntimeError):  # the loop may have ended
            self._loop.call_soon_threadsafe(self._woken.set)
