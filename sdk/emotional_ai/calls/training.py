"""Calls of the training service."""

from collections.abc import Sequence
from typing import Final

from emotional_ai.calls.call import Effort, Paged, Unary, new_request_id, unary
from emotional_ai.v1 import training_pb2 as pb

PAGE: Final = 100
"""Jobs asked for at a time."""


def start_job(
    recipe: pb.Recipe.ValueType,
    *,
    config: pb.TrainingConfig | None = None,
    resume_job_id: str = "",
    max_cost_usd: float = 0.0,
    request_id: str = "",
    timeout: float | None = None,
) -> Unary[pb.Job]:
    """Starts a job, or resumes one. `max_cost_usd` 0 allows local runs only.

    The same request_id returns the job already started; one is made if none is given.
    """
    request = pb.StartJobRequest(
        recipe=recipe,
        config=config,
        resume_job_id=resume_job_id,
        max_cost_usd=max_cost_usd,
        request_id=request_id or new_request_id(),
    )
    return unary(lambda on: on.training.StartJob, request, lambda r: r.job, effort=Effort.UPDATE, timeout=timeout)


def get_job(job_id: str, *, timeout: float | None = None) -> Unary[pb.Job]:
    """A job. Raises NotFound."""
    return unary(lambda on: on.training.GetJob, pb.GetJobRequest(job_id=job_id), lambda r: r.job, timeout=timeout)


def list_jobs(*, page_size: int = PAGE, timeout: float | None = None) -> Paged[pb.Job]:
    """Every job, newest first, fetched `page_size` (1..1000) at a time as the iteration goes on."""

    def page(token: str) -> Unary[tuple[Sequence[pb.Job], str]]:
        request = pb.ListJobsRequest(page_size=page_size, page_token=token)
        return unary(lambda on: on.training.ListJobs, request, lambda r: (r.jobs, r.next_page_token), timeout=timeout)

    return Paged(page)


def cancel_job(job_id: str, *, timeout: float | None = None) -> Unary[pb.Job]:
    """Asks a job to stop at its next step, resumable. Raises FailedPrecondition if it has ended."""
    request = pb.CancelJobRequest(job_id=job_id)
    return unary(lambda on: on.training.CancelJob, request, lambda r: r.job, effort=Effort.UPDATE, timeout=timeout)
