"""Jobs and their reports, as small JSON; times in ms since 1970."""

import math
from typing import Final, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai import names
from emotional_ai.training_job import UNDER_WAY
from emotional_ai.v1 import training_pb2 as pb

RESUMABLE: Final = (pb.JOB_STATUS_FAILED, pb.JOB_STATUS_CANCELLED, pb.JOB_STATUS_INTERRUPTED)
"""Statuses of a job that can be had to go on."""


class Report(TypedDict):
    """Progress of a job; a metric that is no finite number is None."""

    sequence: int
    time: float
    stage: str
    step: int
    total: int
    left: float
    metrics: dict[str, float | None]


class Job(TypedDict):
    """A job in a list."""

    id: str
    recipe: str
    status: str
    under_way: bool
    resumable: bool
    created: float
    ended: float | None
    stage: str
    step: int
    total: int


class Details(TypedDict):
    """A job by itself."""

    id: str
    job: Job
    error: str
    adapters: list[str]
    facts: dict[str, str]


def report(message: pb.JobProgress) -> Report:
    """A report."""
    return Report(
        sequence=message.sequence,
        time=_milliseconds(message.time),
        stage=message.stage,
        step=message.step,
        total=message.total_steps,
        left=message.remaining_seconds if math.isfinite(message.remaining_seconds) else 0.0,
        metrics={one.name: one.value if math.isfinite(one.value) else None for one in message.metrics},
    )


def job(message: pb.Job) -> Job:
    """A job in a list."""
    return Job(
        id=message.job_id,
        recipe=names.recipe(message.recipe),
        status=names.status(message.status),
        under_way=message.status in UNDER_WAY,
        resumable=message.status in RESUMABLE,
        created=_milliseconds(message.created_at),
        ended=_milliseconds(message.ended_at) if message.HasField("ended_at") else None,
        stage=message.progress.stage,
        step=message.progress.step,
        total=message.progress.total_steps,
    )


def details(message: pb.Job) -> Details:
    """A job by itself: its settings, how it ended, what it published."""
    config = message.config
    facts = {
        "States": ", ".join(config.states),
        "Base model": config.base_model or "the training server's own",
        "Rank": str(config.lora_rank),
        "Learning rate": f"{config.learning_rate:g}",
        "Epochs": str(config.epochs),
        "Batch size": str(config.batch_size),
        "Seed": str(config.seed),
        "Data": config.data_path or "prepared anew",
    }
    return Details(
        id=message.job_id,
        job=job(message),
        error=message.error,
        adapters=list(message.adapters),
        facts={name: fact for name, fact in facts.items() if fact} if message.HasField("config") else {},
    )


def _milliseconds(time: Timestamp) -> float:
    return time.ToNanoseconds() / 1e6
