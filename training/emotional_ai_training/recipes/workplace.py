"""The directory a training from the terminal keeps its runs in: whether it goes on or begins anew."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS

STAGES: Final = ("conditioning", *ADAPTERS, "curiosity")
"""Directories a training makes, one a run."""
_DONE: Final = "done"


def begin(checkpoints: Path, *, fresh: bool) -> bool:
    """Whether an unfinished training lies there to go on with; a finished one, or any with `fresh`, is removed.

    Only runs that say whose they are, and what the embedded server kept for them, are removed. Raises OSError if they
    cannot be.
    """
    found = list(_runs(checkpoints))
    if found and (fresh or (checkpoints / _DONE).is_file()):
        for run in found:
            shutil.rmtree(run)
        shutil.rmtree(checkpoints / "tinker", ignore_errors=True)
        for file in (*checkpoints.glob("training_data-*.jsonl"), checkpoints / "curves.png"):
            file.unlink(missing_ok=True)
        found = []
    (checkpoints / _DONE).unlink(missing_ok=True)
    return bool(found)


def finish(checkpoints: Path) -> None:
    """Notes that the training is over."""
    (checkpoints / _DONE).touch()


def _runs(checkpoints: Path) -> Iterator[Path]:
    for stage in STAGES:
        file = checkpoints / stage / "config.json"
        if file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("stage") == stage:
            yield file.parent
