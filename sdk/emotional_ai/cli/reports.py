"""Training jobs and their progress, as text and as JSON objects."""

import math

from emotional_ai import names
from emotional_ai.cli.output import Record, aligned, printable
from emotional_ai.v1 import training_pb2 as pb


def job(message: pb.Job) -> Record:
    """A job."""
    config = message.config
    return {
        "job": message.job_id,
        "recipe": names.recipe(message.recipe),
        "status": names.status(message.status),
        "created": names.moment(message.created_at),
        "ended": names.moment(message.ended_at) if message.HasField("ended_at") else None,
        "base_model": config.base_model,
        "lora_rank": config.lora_rank,
        "learning_rate": config.learning_rate,
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "seed": config.seed,
        "states": list(config.states),
        "data_path": config.data_path,
        "progress": progress(message.progress) if message.HasField("progress") else None,
        "error": message.error,
        "adapters": list(message.adapters),
    }


def progress(message: pb.JobProgress) -> Record:
    """A report; a metric JSON cannot express is null."""
    return {
        "sequence": message.sequence,
        "time": names.moment(message.time),
        "stage": message.stage,
        "step": message.step,
        "total_steps": message.total_steps,
        "metrics": {one.name: one.value if math.isfinite(one.value) else None for one in message.metrics},
        "remaining_seconds": message.remaining_seconds,
    }


def news(message: pb.WatchJobResponse) -> Record:
    """What a watcher is told."""
    report = progress(message.progress) if message.HasField("progress") else {}
    return {"status": names.status(message.status), **report}


def table(jobs: list[pb.Job]) -> str:
    """Jobs, a line each."""
    rows = [
        (
            one.job_id,
            names.recipe(one.recipe),
            names.status(one.status),
            _how_far(one),
            names.moment(one.created_at)[:19],
        )
        for one in jobs
    ]
    return aligned([("job", "recipe", "status", "progress", "created (UTC)"), *rows])


def details(message: pb.Job) -> str:
    """A job, a fact a line."""
    config = message.config
    facts = {
        "job": message.job_id,
        "recipe": names.recipe(message.recipe),
        "status": names.status(message.status),
        "error": printable(message.error),
        "adapters": ", ".join(message.adapters),
        "progress": line(message.progress) if message.HasField("progress") else "",
        "created": names.moment(message.created_at),
        "ended": names.moment(message.ended_at) if message.HasField("ended_at") else "",
        "states": ", ".join(config.states),
        "base model": config.base_model or "the training server's only one",
        "settings": f"rank {config.lora_rank}, learning rate {config.learning_rate:g}, {config.epochs} epochs, "
        f"batches of {config.batch_size}, seed {config.seed}",
        "data": config.data_path or "prepared anew",
    }
    return "\n".join(f"{name:<11}{fact}" for name, fact in facts.items() if fact)


def line(message: pb.JobProgress) -> str:
    """A report on one line: `high_dopamine 3/20  loss 1.234  2:05 left`."""
    parts = [f"{printable(message.stage)} {message.step}/{message.total_steps}", metrics(message), left(message)]
    return "  ".join(part for part in parts if part)


def metrics(message: pb.JobProgress) -> str:
    """Such as "loss 1.234  lr 0.001"."""
    return "  ".join(f"{printable(one.name)} {one.value:.4g}" for one in message.metrics)


def left(message: pb.JobProgress) -> str:
    """Such as "1:02:05 left"; empty if it is not known."""
    seconds = message.remaining_seconds
    if not 0 < seconds < math.inf:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} left" if hours else f"{minutes}:{rest:02d} left"


def _how_far(message: pb.Job) -> str:
    report = message.progress
    return f"{printable(report.stage)} {report.step}/{report.total_steps}" if report.total_steps else "-"
