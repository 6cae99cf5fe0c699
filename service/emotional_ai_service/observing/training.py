"""Training jobs as they are counted, read from their directories."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from emotional_ai_training.jobs import JobDamaged, JobsDirectory, JobStanding, JobsUnusable, Standing

LOOKED_AT: Final = 200
"""Jobs that are looked at, the newest first: a scrape is not to read the files of thousands."""


@dataclass(frozen=True, slots=True)
class Running:
    """The job that runs."""

    recipe: str
    stage: str
    ratio: float
    """Steps done of the stage, 0..1."""


@dataclass(frozen=True, slots=True)
class JobsSeen:
    """The newest jobs at one moment."""

    standings: Mapping[str, int] = field(default_factory=dict)
    """Number of jobs by where they stand; those that cannot be read are "damaged"."""
    running: Running | None = None


def jobs_seen(directory: JobsDirectory) -> JobsSeen:
    """Where the newest jobs stand, read from files; nothing where their directory cannot be read."""
    try:
        ids = directory.ids()[:LOOKED_AT]
    except JobsUnusable:
        return JobsSeen()
    counted = Counter({standing.value: 0 for standing in Standing} | {"damaged": 0})
    running: Running | None = None
    for job_id in ids:
        job = directory.job(job_id)
        if job is None:
            continue
        try:
            found = job.standing()
        except JobDamaged:
            counted["damaged"] += 1
            continue
        counted[found.standing.value] += 1
        if found.standing is Standing.RUNNING:
            running = _running(found)
    return JobsSeen(dict(counted), running)


def _running(found: JobStanding) -> Running:
    recipe, progress = found.record.plan.recipe.value, found.progress
    if progress is None:
        return Running(recipe, "", 0.0)
    return Running(
        recipe, progress.stage, min(progress.step / progress.total_steps, 1.0) if progress.total_steps else 0.0
    )
