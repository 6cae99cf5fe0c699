"""A handle on a training job, for `Client`: rebuilt from the job's id anywhere, at any time.

Exception
+-- JobUnsuccessful      a job ended without what it was started for; `job` says everything known of it
    +-- JobFailed        by an error, which is the message
    +-- JobCancelled     because it was asked to stop; it can be resumed
    +-- JobInterrupted   its process died; it can be resumed
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from emotional_ai.errors import DeadlineExceeded, Details
from emotional_ai.streams import Watch
from emotional_ai.v1 import training_pb2 as pb

if TYPE_CHECKING:
    from emotional_ai.client import Client

UNDER_WAY: Final = (pb.JOB_STATUS_QUEUED, pb.JOB_STATUS_RUNNING)
"""Statuses of a job that has not ended."""
EVERY_REPORT: Final = 2**64 - 1
"""Sequence after which no report comes, only that the job has ended."""


class JobUnsuccessful(Exception):
    """A job ended without what it was started for."""

    def __init__(self, message: str, job: pb.Job) -> None:
        super().__init__(message)
        self.job = job


class JobFailed(JobUnsuccessful):
    """A job ended by an error, which is the message."""


class JobCancelled(JobUnsuccessful):
    """A job stopped because it was asked to; it can be resumed."""


class JobInterrupted(JobUnsuccessful):
    """A job's process died; it can be resumed."""


class TrainingJob:
    """One job; made by `Client.train`, or from an id by `Client.training_job`, which asks the service nothing.

        job = client.train(Recipe.RECIPE_ALL)
        with job.watch() as watch:
            for news in watch:
                print(news.progress.stage, news.progress.step, news.progress.total_steps)
        print(job.result().adapters)

    Its methods raise the errors of `emotional_ai.errors`, NotFound among them if there is no such job.
    """

    def __init__(self, client: "Client", job_id: str) -> None:
        self._client = client
        self.job_id = job_id

    def __repr__(self) -> str:
        return f"TrainingJob({self.job_id!r})"

    def refresh(self) -> pb.Job:
        """Where the job stands now."""
        return self._client.get_job(self.job_id)

    def watch(self, *, after_sequence: int = 0) -> Watch[pb.WatchJobResponse]:
        """News of the job until it has ended, from its first report or from `after_sequence` on, through lost connections.

        Each piece carries the latest report and where the job stands; a report may come once more with a new status.
        """
        return self._client.watch_job(self.job_id, after_sequence=after_sequence)

    def result(self, timeout: float | None = None) -> pb.Job:
        """Waits until the job has succeeded, at most `timeout` seconds.

        Raises JobFailed, JobCancelled or JobInterrupted for another end, and DeadlineExceeded if there is none in time.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise not_ended(self.job_id, timeout)
            with self.watch(after_sequence=EVERY_REPORT) as watch, _after(left, watch.close):
                for _ in watch:
                    pass
            job = self.refresh()
            if job.status not in UNDER_WAY:
                return succeeded(job)

    def cancel(self) -> pb.Job:
        """Asks the job to stop at its next step, resumable. Raises FailedPrecondition if it has ended."""
        return self._client.cancel_job(self.job_id)

    def resume(self, *, max_cost_usd: float = 0.0) -> pb.Job:
        """Has a failed, cancelled or interrupted job go on from its last state. Raises FailedPrecondition for any other."""
        recipe = self.refresh().recipe
        return self._client.start_job(recipe, resume_job_id=self.job_id, max_cost_usd=max_cost_usd)


def succeeded(job: pb.Job) -> pb.Job:
    """The job, if it succeeded. Raises JobFailed, JobCancelled or JobInterrupted."""
    match job.status:
        case pb.JOB_STATUS_SUCCEEDED:
            return job
        case pb.JOB_STATUS_FAILED:
            raise JobFailed(job.error, job)
        case pb.JOB_STATUS_CANCELLED:
            raise JobCancelled(f"job {job.job_id} was cancelled; resume it to have it go on", job)
        case pb.JOB_STATUS_INTERRUPTED:
            raise JobInterrupted(f"the process of job {job.job_id} died; resume it to have it go on", job)
        case _:
            raise JobUnsuccessful(f"job {job.job_id} ended in a way this client does not know", job)


def not_ended(job_id: str, seconds: float | None) -> DeadlineExceeded:
    """The error of a job that did not end in time."""
    return DeadlineExceeded(
        f"job {job_id} did not end within {seconds:g} s, and goes on; wait longer, or watch it",
        Details("JOB_NOT_ENDED"),
    )


@contextmanager
def _after(seconds: float | None, what: Callable[[], None]) -> Iterator[None]:
    """Does something once `seconds` have passed, unless the block ends before."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, what)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
