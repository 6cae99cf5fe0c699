"""The directory a training from the terminal keeps its runs in: whether it goes on or begins anew.

with workplace(checkpoints, fresh=fresh) as place:
    outcome = train(Plan(..., resume=place.resume), reporter, approve, place.begun)

What a new training is to replace is only put aside at first. It is removed once the new one has begun, and put back where that
is refused before.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.recipes.errors import RunUnwritable

STAGES: Final = ("conditioning", *ADAPTERS, "curiosity")
"""Directories a training makes, one a run."""
SERVER: Final = "tinker"
"""Where the embedded server keeps its checkpoints."""
_ASIDE: Final = "replaced"
_DONE: Final = "done"


@dataclass(slots=True)
class Workplace:
    """What a training finds there."""

    checkpoints: Path
    resume: bool
    """Whether an unfinished training lies there to go on with."""
    replaced: bool = False
    """Whether the training has taken the place of an earlier one for good."""

    def begun(self) -> None:
        """Removes what was put aside: the new training will not be refused any more. Raises OSError."""
        self.replaced = True
        aside = self.checkpoints / _ASIDE
        if aside.is_dir():
            shutil.rmtree(aside)


@contextmanager
def workplace(checkpoints: Path, *, fresh: bool) -> Iterator[Workplace]:
    """The place of a training that goes on with an unfinished one, unless `fresh`, and notes at its end that it is over.

    Only runs that say whose they are, and what the embedded server kept for them, are replaced. Raises RunUnwritable, or
    OSError if they cannot be.
    """
    if checkpoints.exists() and not checkpoints.is_dir():
        raise RunUnwritable(checkpoints, NotADirectoryError("it is not a directory"))
    _put_back(checkpoints)  # where a process was killed before it had begun
    found = list(_runs(checkpoints))
    if found and (fresh or (checkpoints / _DONE).is_file()):
        _put_aside(checkpoints, found)
        found = []
    (checkpoints / _DONE).unlink(missing_ok=True)
    place = Workplace(checkpoints, bool(found))
    try:
        yield place
    except BaseException:
        if not place.replaced:
            _put_back(checkpoints)
        raise
    (checkpoints / _DONE).touch()


def _put_aside(checkpoints: Path, runs: list[Path]) -> None:
    beside = (checkpoints / SERVER, checkpoints / "curves.png", checkpoints / _DONE)
    (checkpoints / _ASIDE).mkdir()
    for path in (*runs, *checkpoints.glob("training_data-*.jsonl"), *beside):
        if path.exists():
            path.rename(checkpoints / _ASIDE / path.name)


def _put_back(checkpoints: Path) -> None:
    """Puts what was put aside where it was, in place of what a training made that had not begun."""
    aside = checkpoints / _ASIDE
    if not aside.is_dir():
        return
    for path in aside.iterdir():
        made = checkpoints / path.name
        if made.is_dir():
            shutil.rmtree(made)
        path.rename(made)
    aside.rmdir()


def _runs(checkpoints: Path) -> Iterator[Path]:
    for stage in STAGES:
        if _is_run(checkpoints / stage, stage):
            yield checkpoints / stage


def _is_run(directory: Path, stage: str) -> bool:
    """Whether a run says there that it is of that stage, or has left metrics beside what cannot be read any more."""
    try:
        config = json.loads((directory / "config.json").read_bytes())
    except OSError:
        return False
    except (ValueError, RecursionError):
        return (directory / "metrics.jsonl").is_file()
    return isinstance(config, dict) and config.get("stage") == stage
