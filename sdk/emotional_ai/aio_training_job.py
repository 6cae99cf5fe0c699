"""A handle on a training job, for `AsyncClient`: rebuilt from the job's id anywhere, at any time."""

import asyncio
from typing import TYPE_CHECKING

from emotional_ai.aio_streams import AsyncWatch
from emotional_ai.training_job import EVERY_REPORT, UNDER_WAY, not_ended, succeeded
from emotional_ai.v1 import training_pb2 as pb

if TYPE_CHECKING:
    from emotional_ai.aio import AsyncClient


class AsyncTrainingJob:
    """One job; made by `AsyncClient.train`, or from an id by `AsyncClient.training_job`, which asks the service nothing.

        job = await client.train(Recipe.RECIPE_ALL)
        async with job.watch() as watch:
            async for news in watch:
                print(news.progress.stage, news.progress.step, news.progress.total_steps)
        print((await job.result()).adapters)

    Its methods raise the errors of `emotional_ai.errors`, NotFound among them if there is no such job.
    """

    def __init__(self, client: "AsyncClient", job_id: str) -> None:
        self._client = client
        self.job_id = job_id

    def __repr__(self) -> str:
        return f"AsyncTrainingJob({self.job_id!r})"

    async def refresh(self) -> pb.Job:
        """Where the job stands now."""
        return await self._client.get_job(self.job_id)

    def watch(self, *, after_sequence: int = 0) -> AsyncWatch[pb.WatchJobResponse]:
        """News of the job until it has ended, from its first report or from `after_sequence` on, through lost connections.

        Each piece carries the latest report and where the job stands; a report may come once more with a new status.
        """
        return self._client.watch_job(self.job_id, after_sequence=after_sequence)

    async def result(self, timeout: float | None = None) -> pb.Job:  # noqa: ASYNC109  # as the blocking client's
        """Waits until the job has succeeded, at most `timeout` seconds.

        Raises JobFailed, JobCancelled or JobInterrupted for another end, and DeadlineExceeded if there is none in time.
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    async with self.watch(after_sequence=EVERY_REPORT) as watch:
                        async for _ in watch:
                            pass
                    job = await self.refresh()
                    if job.status not in UNDER_WAY:
                        return succeeded(job)
        except TimeoutError:
            raise not_ended(self.job_id, timeout) from None

    async def cancel(self) -> pb.Job:
        """Asks the job to stop at its next step, resumable. Raises FailedPrecondition if it has ended."""
        return await self._client.cancel_job(self.job_id)

    async def resume(self, *, max_cost_usd: float = 0.0) -> pb.Job:
        """Has a failed, cancelled or interrupted job go on from its last state. Raises FailedPrecondition for any other."""
        recipe = (await self.refresh()).recipe
        return await self._client.start_job(recipe, resume_job_id=self.job_id, max_cost_usd=max_cost_usd)
