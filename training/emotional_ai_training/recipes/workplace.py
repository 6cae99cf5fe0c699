"""The directory a training from the terminal keeps its runs in: whether it goes on or begins anew."""

import shutil
from pathlib import Path
from typing import Final

_DONE: Final = "done"


def begin(checkpoints: Path, *, fresh: bool) -> bool:
    """Whether an unfinished training lies there to go on with; a finished one, or any with `fresh`, is removed.

    Only what a training made is removed. Raises OSError if it cannot be.
    """
    if fresh or (checkpoints / _DONE).is_file():
        for stage in [*checkpoints.glob("*/config.json")]:
            shutil.rmtree(stage.parent)
        shutil.rmtree(checkpoints / "tinker", ignore_errors=True)
        for name in ("training_data.jsonl", "curves.png", _DONE):
            (checkpoints / name).unlink(missing_ok=True)
    return any(checkpoints.glob("*/config.json"))


def finish(checkpoints: Path) -> None:
    """Notes that the training is over."""
    (checkpoints / _DONE).touch()
