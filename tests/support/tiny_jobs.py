"""Jobs whose training does what a script says (see training_targets), and waiting for what they come to."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emotional_ai_training.jobs import JobDirectory, JobsDirectory, Plan, Recipe, Standing, launch

TARGET = "training_targets:scripted"
SUPPORT = Path(__file__).parent
PATIENCE = 60.0
"""Seconds a test waits for what must come."""


def script(directory: Path, **what: Any) -> Path:
    """A script beside which its gates are opened, in a directory of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "script.json"
    path.write_text(json.dumps({"steps": 3} | what))
    return path


def open_gate(script_path: Path, step: int) -> None:
    """Lets the training pass a gate."""
    (script_path.parent / f"pass-{step}").touch()


def made(jobs: JobsDirectory, script_path: Path, *, now_us: int = 1_000_000, token: str = "0" * 6) -> JobDirectory:
    """A job that is queued."""

    def plan(directory: Path) -> Plan:
        return Plan(
            recipe=Recipe.ALL,
            checkpoints_dir=directory / "checkpoints",
            loras_dir=jobs.path.parent / "loras",
            data_path=script_path,
        )

    return jobs.make(now_us, token, f"request-{token}", plan)


def begun(job: JobDirectory, target: str = TARGET) -> Any:
    """The process of a job that was queued."""
    lock = job.begin()
    assert lock is not None
    with lock:
        return launch(job, lock, target=target)


def until(reached: Callable[[], bool]) -> None:
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.01)


def reached(job: JobDirectory, step: int) -> Callable[[], bool]:
    """Whether a job has made a step."""

    def so() -> bool:
        progress = job.standing().progress
        return progress is not None and progress.step >= step

    return so


def stands(job: JobDirectory, standing: Standing) -> Callable[[], bool]:
    """Whether a job stands so."""
    return lambda: job.standing().standing is standing


def steps_made(job: JobDirectory) -> list[int]:
    """Every step the training ever made, in order."""
    return [int(line) for line in (job.path / "checkpoints" / "made").read_text().split()]
