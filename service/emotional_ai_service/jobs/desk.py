"""Takes orders for jobs, and answers where they stand. Everything is read from the disk: a restart forgets nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from pathlib import Path
from typing import final

from emotional_ai_service.alongside import alongside
from emotional_ai_service.callers import DEFAULT_TENANT, caller
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
    check_can_train,
)

Allowance = Callable[[int], AbstractContextManager[None]]
"""Lets a job begin, told how many wait or run already; raises QuotaExceeded. What fails inside did not begin."""
RESUMABLE = (Standing.FAILED, Standing.CANCELLED, Standing.INTERRUPTED)


@asynccontextmanager
async def training_jobs(
    settings: JobSettings, clock: Callable[[], int], allow: Callable[[], Allowance] | None = None
) -> AsyncIterator["Jobs"]:
    """The jobs of a directory, queued ones given their turn as long as the context lasts; running ones outlive it.

    `allow` gives what lets the caller's jobs begin; without it all may.
    """
    directory = JobsDirectory(settings.jobs_dir)
    scheduler = Scheduler(directory, settings.target, clock)
    jobs = Jobs(directory, scheduler, settings, clock, allow)
    async with alongside(scheduler.run(), "training jobs"):
        try:
            yield jobs
        finally:
            jobs.drain()


@final
class Jobs:
    """Orders and answers; all methods belong to the event loop that made it, and none of them blocks it.

    Every method is about the jobs of the tenant whose call is being served: to it there are no others.
    """

    def __init__(
        self,
        directory: JobsDirectory,
        scheduler: Scheduler,
        settings: JobSettings,
        clock: Callable[[], int],
        allow: Callable[[], Allowance] | None,
    ) -> None:
        self._allow = allow
        self._directory = directory
        self._scheduler = scheduler
        self._settings = settings
        self._clock = clock
        self._followers: dict[str, Follower] = {}
        self._draining = False

    async def start(self, request_id: str, plan: Callable[[Path], Plan]) -> JobStanding:
        """A new job, or the one the request made before. `plan` is told the job's directory.

        Raises JobsUnusable, NotPublished where adapters could not be written in the end, TrainingNotInstalled, or
        QuotaExceeded.
        """
        owner, allowance = _owner(), self._allow and self._allow()

        def take() -> JobStanding:
            with self._directory.ordering():
                made = self._directory.of_request(request_id, owner)
                if made is None:
                    check_can_train(self._settings.target)
                    check_writable(self._settings.loras_dir)
                    with self._allowed(owner, allowance):
                        token = secrets.token_hex(3)
                        made = self._directory.make(self._clock(), token, request_id, plan, owner)
                return made.standing()

        return await self._ordered(take)

    async def resume(self, job_id: str, request_id: str, recipe: Recipe, max_cost_usd: float) -> JobStanding:
        """Puts a job back into the queue, unless the request did so before.

        Raises JobNotFound, JobNotResumable, JobDamaged, JobsUnusable, TrainingNotInstalled, QuotaExceeded.
        """
        owner, allowance = _owner(), self._allow and self._allow()

        def take() -> JobStanding:
            with self._directory.ordering():
                made = self._directory.of_request(request_id, owner)
                if made is not None:
                    return made.standing()
                job = self._job(owner, job_id)
                found = job.standing()
                if found.standing not in RESUMABLE:
                    raise JobNotResumable(job_id, f"it is {found.standing.value}")
                if found.record.plan.recipe is not recipe:
                    raise JobNotResumable(job_id, f"its recipe is {found.record.plan.recipe.value}, not {recipe.value}")
                check_can_train(self._settings.target)
                with self._allowed(owner, allowance):
                    self._directory.resume(job, self._clock(), request_id, max_cost_usd)
                return job.standing()

        return await self._ordered(take)

    async def get(self, job_id: str) -> JobStanding:
        """Where a job stands. Raises JobNotFound, JobDamaged."""
        owner = _owner()
        return await asyncio.to_thread(lambda: self._job(owner, job_id).standing())

    async def page(self, before_id: str, size: int) -> tuple[list[JobStanding | JobDamaged], str]:
        """Up to `size` jobs older than `before_id` (the newest if empty), newest first, and the id to go on before, if any.

        A job that cannot be read is there as the error that says why.
        """
        owner = _owner()

        def read() -> tuple[list[JobStanding | JobDamaged], str]:
            ids = [job_id for job_id in self._directory.ids_of(owner) if not before_id or job_id < before_id]
            found = [self._standing_or_damage(owner, job_id) for job_id in ids[:size]]
            return found, ids[size - 1] if len(ids) > size else ""

        return await asyncio.to_thread(read)

    async def cancel(self, job_id: str) -> JobStanding:
        """Cancels a queued job at once, and has a running one stop at its next step.

        Raises JobNotFound, JobEnded, JobDamaged, JobsUnusable.
        """
        owner = _owner()

        def stop() -> JobStanding:
            try:
                return self._stopped(self._job(owner, job_id))
            except OSError as error:
                raise JobsUnusable(self._directory.path, error) from error

        return await self._ordered(stop)

    async def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[News]:
        """News of a job until it has ended. Raises JobNotFound, JobDamaged, or ServiceDraining when the service shuts down."""
        job = await asyncio.to_thread(self._job, _owner(), job_id)
        if self._draining:
            raise ServiceDraining
        name = job.path.name
        follower = self._followers.get(name)
        if follower is None or follower.over:
            follower = self._followers[name] = Follower(job)
        follower.watchers += 1
        try:
            async with aclosing(follower.news(after_sequence)) as news:  # type: ignore[type-var]
                async for piece in news:
                    yield piece
        finally:
            follower.watchers -= 1
            if not follower.watchers:
                follower.close()
                if self._followers.get(name) is follower:
                    del self._followers[name]

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

    def _allowed(self, owner: str, allowance: Allowance | None) -> AbstractContextManager[None]:
        """Without an allowance nothing is counted, which would read the files of every job."""
        return nullcontext() if allowance is None else allowance(self._unfinished(owner))

    def _unfinished(self, owner: str) -> int:
        """How many of an owner's jobs wait or run."""
        found = [self._standing_or_damage(owner, job_id) for job_id in self._directory.ids_of(owner)]
        return sum(isinstance(one, JobStanding) and not one.standing.ended for one in found)

    def _job(self, owner: str, job_id: str) -> JobDirectory:
        job = self._directory.job_of(owner, job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    def _standing_or_damage(self, owner: str, job_id: str) -> JobStanding | JobDamaged:
        try:
            return self._job(owner, job_id).standing()
        except JobDamaged as error:
            return error


def _owner() -> str:
    """Whose jobs the call being served is about: empty for the default tenant, whose jobs have no owner."""
    tenant = caller().tenant
    return "" if tenant == DEFAULT_TENANT else tenant
