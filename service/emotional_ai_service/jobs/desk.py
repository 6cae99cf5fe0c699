"""Takes orders for jobs, and answers where they stand. Everything is read from the disk: a restart forgets nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import final

from emotional_ai_service.errors import JobEnded, JobNotFound, JobNotResumable, ServiceDraining
from emotional_ai_service.jobs.follower import Follower, News
from emotional_ai_service.jobs.scheduler import Scheduler
from emotional_ai_service.settings import JobSettings
from emotional_ai_training.adapters import check_writable
from emotional_ai_training.jobs import (
    JobDamaged,
    JobDirectory,
    JobsDirectory,
    JobStanding,
    JobsUnusable,
    Plan,
    Recipe,
    Standing,
)

RESUMABLE = (Standing.FAILED, Standing.CANCELLED, Standing.INTERRUPTED)


@asynccontextmanager
async def training_jobs(settings: JobSettings, clock: Callable[[], int]) -> AsyncIterator["Jobs"]:
    """The jobs of a directory, queued ones given their turn as long as the context lasts; running ones outlive it."""
    directory = JobsDirectory(settings.jobs_dir)
    scheduler = Scheduler(directory, settings.target, clock)
    jobs = Jobs(directory, scheduler, settings.loras_dir, clock)
    turns = asyncio.create_task(scheduler.run(), name="training jobs")
    try:
        yield jobs
    finally:
        jobs.drain()
        turns.cancel()
        with suppress(asyncio.CancelledError):
            await turns


@final
class Jobs:
    """Orders and answers; all methods belong to the event loop that made it, and none of them blocks it."""

    def __init__(
        self, directory: JobsDirectory, scheduler: Scheduler, loras_dir: Path, clock: Callable[[], int]
    ) -> None:
        self._directory = directory
        self._scheduler = scheduler
        self._loras_dir = loras_dir
        self._clock = clock
        self._followers: dict[str, Follower] = {}
        self._draining = False

    async def start(self, request_id: str, plan: Callable[[Path], Plan]) -> JobStanding:
        """A new job, or the one the request made before. `plan` is told the job's directory.

        Raises JobsUnusable, or NotPublished where adapters could not be written in the end.
        """

        def take() -> JobStanding:
            with self._directory.ordering():
                made = self._directory.of_request(request_id)
                if made is None:
                    check_writable(self._loras_dir)
                    made = self._directory.make(self._clock(), secrets.token_hex(3), request_id, plan)
                return made.standing()

        return await self._ordered(take)

    async def resume(self, job_id: str, request_id: str, recipe: Recipe, max_cost_usd: float) -> JobStanding:
        """Puts a job back into the queue, unless the request did so before.

        Raises JobNotFound, JobNotResumable, JobDamaged, JobsUnusable.
        """

        def take() -> JobStanding:
            with self._directory.ordering():
                made = self._directory.of_request(request_id)
                if made is not None:
                    return made.standing()
                job = self._job(job_id)
                found = job.standing()
                if found.standing not in RESUMABLE:
                    raise JobNotResumable(job_id, f"it is {found.standing.value}")
                if found.record.plan.recipe is not recipe:
                    raise JobNotResumable(job_id, f"its recipe is {found.record.plan.recipe.value}, not {recipe.value}")
                self._directory.resume(job, self._clock(), request_id, max_cost_usd)
                return job.standing()

        return await self._ordered(take)

    async def get(self, job_id: str) -> JobStanding:
        """Where a job stands. Raises JobNotFound, JobDamaged."""
        return await asyncio.to_thread(lambda: self._job(job_id).standing())

    async def page(self, before_id: str, size: int) -> tuple[list[JobStanding | JobDamaged], str]:
        """Up to `size` jobs older than `before_id` (the newest if empty), newest first, and the id to go on before, if any.

        A job that cannot be read is there as the error that says why.
        """

        def read() -> tuple[list[JobStanding | JobDamaged], str]:
            ids = [job_id for job_id in self._directory.ids() if not before_id or job_id < before_id]
            found = [self._standing_or_damage(job_id) for job_id in ids[:size]]
            return found, ids[size - 1] if len(ids) > size else ""

        return await asyncio.to_thread(read)

    async def cancel(self, job_id: str) -> JobStanding:
        """Cancels a queued job at once, and has a running one stop at its next step.

        Raises JobNotFound, JobEnded, JobDamaged, JobsUnusable.
        """

        def stop() -> JobStanding:
            try:
                return self._stopped(self._job(job_id))
            except OSError as error:
                raise JobsUnusable(self._directory.path, error) from error

        return await self._ordered(stop)

    async def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[News]:
        """News of a job until it has ended. Raises JobNotFound, JobDamaged, or ServiceDraining when the service shuts down."""
        job = await asyncio.to_thread(self._job, job_id)
        if self._draining:
            raise ServiceDraining
        follower = self._followers.get(job_id)
        if follower is None or follower.over:
            follower = self._followers[job_id] = Follower(job)
        follower.watchers += 1
        try:
            async with aclosing(follower.news(after_sequence)) as news:  # type: ignore[type-var]
                async for piece in news:
                    yield piece
        finally:
            follower.watchers -= 1
            if not follower.watchers:
                follower.close()
                if self._followers.get(job_id) is follower:
                    del self._followers[job_id]

    def drain(self) -> None:
        """Ends every watch, so that it goes on at the next service."""
        self._draining = True
        for follower in self._followers.values():
            follower.fail(ServiceDraining())

    async def _ordered(self, take: Callable[[], JobStanding]) -> JobStanding:
        found = await asyncio.to_thread(take)
        self._scheduler.wake()
        return found

    def _stopped(self, job: JobDirectory) -> JobStanding:
        """Raises JobEnded, JobDamaged, OSError."""
        while (found := job.standing()).standing is Standing.QUEUED:
            if job.withdraw(self._clock()):
                return job.standing()
        if found.standing.ended:
            raise JobEnded(job.job_id, found.standing.value)
        job.ask_to_stop()
        return job.standing()

    def _job(self, job_id: str) -> JobDirectory:
        job = self._directory.job(job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    def _standing_or_damage(self, job_id: str) -> JobStanding | JobDamaged:
        try:
            return self._job(job_id).standing()
        except JobDamaged as error:
            return error
