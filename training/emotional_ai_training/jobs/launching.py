"""Starts a job's process: in a session of its own, so that neither a closed terminal nor the end of the starter ends it."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from emotional_ai_training.jobs.directory import JobDirectory
from emotional_ai_training.jobs.errors import TrainingNotInstalled
from emotional_ai_training.jobs.locking import FileLock

DEFAULT_TARGET: Final = "emotional_ai_training.recipes.plan:run_plan"
"""What runs a plan, as module:function."""
NEEDED: Final = (
    "dotenv",
    "peft",
    "pydantic",
    "sklearn",
    "starlette",
    "tinker",
    "torch",
    "transformers",
    "uvicorn",
    "zstandard",
)
"""Modules that DEFAULT_TARGET needs and a service alone does not."""


def check_can_train(target: str = DEFAULT_TARGET) -> None:
    """Raises TrainingNotInstalled where modules are missing that `target` needs; nothing is imported."""
    missing = [name for name in NEEDED if find_spec(name) is None] if target == DEFAULT_TARGET else []
    if missing:
        raise TrainingNotInstalled(missing)


def launch(
    job: JobDirectory,
    lock: FileLock,
    *,
    target: str = DEFAULT_TARGET,
    niceness: int = 0,
    beside: Sequence[FileLock] = (),
) -> "subprocess.Popen[bytes]":
    """The process of a job that was begun, whose `lock` and the locks `beside` it holds on; the caller may let go of them.

    Whatever it prints goes to the job's log. Raises OSError if it could not be started.
    """
    descriptors = [held.descriptor for held in (lock, *beside)]
    command = [sys.executable, "-P", "-m", "emotional_ai_training.jobs", str(job.path), "--target", target]
    command += ["--niceness", str(niceness), "--hold", *map(str, descriptors)]
    with job.log_path.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=descriptors,
            start_new_session=True,
        )
