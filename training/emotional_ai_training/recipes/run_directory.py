"""The record of one training run on disk: settings, checkpoints, metrics. What makes a run resumable.

<directory>/config.json       what the run was started with; a run goes on only with the same
<directory>/checkpoints.jsonl {"next_step": 20, "state": "tinker://..."}, each appended once the server has saved
<directory>/metrics.jsonl     one line a step
<directory>/final.json        the paths of the finished run
<directory>/curves.png        the metrics drawn
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emotional_ai_training.recipes.errors import RunConflict, RunDamaged
from emotional_ai_training.recipes.journal import append_line, read_lines, read_object, replace_text, writable

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class Finished:
    """Where a finished run lies on the server, as tinker:// paths."""

    state: str
    """To train on from."""
    sampler: str
    """To sample with."""
    external: str
    """To download."""


class RunDirectory:
    """One run. Opening it again finds where it stands. Every method raises RunUnwritable where the disk refuses.

    What is read raises RunDamaged, naming the file, where that is not what a run writes.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any]) -> None:
        """Raises RunConflict if another run lies there, RunUnwritable if nothing can be written there."""
        self.path = directory
        with writable(directory):
            directory.mkdir(parents=True, exist_ok=True)
        self._settle(dict(config))
        self.next_step, self.state = _last_saved(directory / "checkpoints.jsonl")
        self._forget_after(self.next_step)

    def checkpoint(self, next_step: int, state: str) -> None:
        """Notes that the server has saved everything before `next_step` as `state`."""
        append_line(self.path / "checkpoints.jsonl", {"next_step": next_step, "state": state})
        self.next_step, self.state = next_step, state

    def metrics(self, step: int, values: Metrics) -> None:
        """Notes the metrics of a step."""
        append_line(self.path / "metrics.jsonl", {"step": step, **values})

    def history(self) -> list[Metrics]:
        """The metrics so far, oldest first."""
        return read_lines(self.path / "metrics.jsonl")

    def finish(self, finished: Finished) -> None:
        """Notes that the run is over."""
        replace_text(self.path / "final.json", json.dumps(asdict(finished), indent=2) + "\n")

    def finished(self) -> Finished | None:
        """Where the finished run lies, or None if it is not over."""
        file = self.path / "final.json"
        if not file.is_file():
            return None
        try:
            return Finished(**read_object(file, file.read_bytes()))
        except TypeError as error:
            raise RunDamaged(file, "it does not say where the finished run lies") from error

    def rewind(self) -> None:
        """Forgets metrics of steps that no checkpoint holds; they will be made again."""
        self._forget_after(self.next_step)

    def _settle(self, config: dict[str, Any]) -> None:
        file, wanted = self.path / "config.json", json.loads(json.dumps(config))
        if not file.is_file():
            replace_text(file, json.dumps(wanted, indent=2, sort_keys=True) + "\n")
            return
        found = read_object(file, file.read_bytes())
        differing = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        if differing:
            raise RunConflict(self.path, differing)

    def _forget_after(self, step: int) -> None:
        file = self.path / "metrics.jsonl"
        rows = read_lines(file)
        if not all(type(row.get("step")) is int for row in rows):
            raise RunDamaged(file, "not every line has its step")
        kept = [row for row in rows if row["step"] < step]
        if len(kept) < len(rows):
            replace_text(file, "".join(json.dumps(row) + "\n" for row in kept))


def _last_saved(file: Path) -> tuple[int, str | None]:
    """The step after the last checkpoint, and its state; (0, None) before the first."""
    saved = read_lines(file)
    if not saved:
        return 0, None
    next_step, state = saved[-1].get("next_step"), saved[-1].get("state")
    if type(next_step) is not int or not isinstance(state, str):
        raise RunDamaged(file, "its last line is no checkpoint")
    return next_step, state
