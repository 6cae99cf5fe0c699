"""What jobs refuse or end with.

JobCancelled               a training that stopped because it was asked to, at a state it can be resumed from
JobsError
+-- JobDamaged             a job's directory holds something that cannot be read
+-- JobsUnusable           the directory of jobs cannot be read or written, or its disk is full
+-- TrainingNotInstalled   packages are missing that training needs
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

INSTALL: Final = "pip install 'emotional-ai[training]'"
"""What installs all that training needs."""


class JobCancelled(Exception):
    """A training stopped because it was asked to; the state it leaves can be resumed."""


class JobsError(Exception):
    """Base of what keeps jobs from being kept."""


class JobDamaged(JobsError):
    """A file of a job cannot be read; the message names it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path


class JobsUnusable(JobsError):
    """The directory of jobs cannot be read or written; nothing was begun."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path} cannot hold jobs: {error.strerror or error}; make room there, or choose another with --jobs"
        )
        self.path = path


class TrainingNotInstalled(JobsError):
    """Packages are missing that training needs: a service speaks without them. Nothing was begun."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"training needs packages that are not installed where the service runs: {', '.join(missing)}; install them with "
            f"{INSTALL}, or in a checkout with `make train`, which trains too"
        )
