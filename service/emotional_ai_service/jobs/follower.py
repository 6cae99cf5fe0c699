"""One reader of a job's reports for all who watch it: watchers share what was read, and cost a task's wait each."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, final

from emotional_ai_training.jobs import JobDirectory, ProgressReader, ProgressReport, Standing

POLL_SECONDS: Final = 0.2
"""How often a watched job's files are looked at."""


class News(NamedTuple):
    """What a watcher is told."""

    report: ProgressReport | None
    """The latest report; None before the first."""
    standing: Standing
    """Where the job stands; only the last piece of news says that it has ended."""


@final
class Follower:
    """Reads a job's files as long as it is watched and the job has not ended."""

    def __init__(self, job: JobDirectory) -> None:
        self.watchers = 0
        self.over = False
        """Whether nothing more will be read: the job ended, or reading failed."""
        self._job = job
        self._reader = ProgressReader(job.progress_path)
        self._reports: list[ProgressReport] = []
        self._standing: Standing | None = None
        self._failure: Exception | None = None
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._follow(), name=f"follow {job.job_id}")

    async def news(self, after_sequence: int) -> AsyncIterator[News]:
        """Reports after `after_sequence`, and changes of standing, until the job has ended. Raises what reading met."""
        told: Standing | None = None
        seen = after_sequence
        while True:
            changed, standing = self._changed, self._standing
            if self._failure is not None:
                raise self._failure
            if standing is not None:
                fresh = self._reports[seen:]
                for report in fresh[:-1]:
                    yield News(report, Standing.RUNNING if standing.ended else standing)
                if fresh or standing is not told:
                    yield News(self._reports[-1] if self._reports else None, standing)
                seen += len(fresh)
                told = standing
                if standing.ended:
                    return
            await changed.wait()

    def fail(self, error: Exception) -> None:
        """Ends every watch with an error."""
        self._failure, self.over = error, True
        self._task.cancel()
        self._tell()

    def close(self) -> None:
        """Stops reading."""
        self._task.cancel()

    async def _follow(self) -> None:
        try:
            while not self.over:
                standing, reports = await asyncio.to_thread(self._read)
                if reports or standing is not self._standing:
                    self._reports += reports
                    self._standing = standing
                    self.over = standing.ended
                    self._tell()
                if not self.over:
                    await asyncio.sleep(POLL_SECONDS)
        except Exception as error:  # whoever waits must hear of it, whatever it is
            self._failure, self.over = error, True
            self._tell()

    def _read(self) -> tuple[Standing, list[ProgressReport]]:
        standing = self._job.standing().standing  # first: once the job has ended, every report is there
        return standing, self._reader.read()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
