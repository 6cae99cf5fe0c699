"""The record of one training run on disk: settings, checkpoints, metrics. What makes a run resumable.

<directory>/config.json       what the run was started with; a run goes on only with the same
<directory>/checkpoints.jsonl {"next_step": 20, "state": "tinker://..."}, each appended once the server has saved
<directory>/metrics.jsonl     one line a step
<directory>/final.json        the paths of the finished run
<directory>/curves.png        the metrics drawn
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emotional_ai_training.recipes.errors import RunConflict, RunUnwritable

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
    """One run. Opening it again finds where it stands."""

    def __init__(self, directory: Path, config: Mapping[str, Any]) -> None:
        """Raises RunConflict if another run lies there, RunUnwritable if nothing can be written there."""
        self.path = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._settle(dict(config))
        except OSError as error:
            raise RunUnwritable(directory, error) from error
        saved = _lines(directory / "checkpoints.jsonl")
        self.next_step: int = int(saved[-1]["next_step"]) if saved else 0
        self.state: str | None = str(saved[-1]["state"]) if saved else None
        self._forget_after(self.next_step)

    def checkpoint(self, next_step: int, state: str) -> None:
        """Notes that the server has saved everything before `next_step` as `state`."""
        _append(self.path / "checkpoints.jsonl", {"next_step": next_step, "state": state})
        self.next_step, self.state = next_step, state

    def metrics(self, step: int, values: Metrics) -> None:
        """Notes the metrics of a step."""
        _append(self.path / "metrics.jsonl", {"step": step, **values})

    def history(self) -> list[Metrics]:
        """The metrics so far, oldest first."""
        return _lines(self.path / "metrics.jsonl")

    def finish(self, finished: Finished) -> None:
        """Notes that the run is over."""
        _replace(self.path / "final.json", json.dumps(asdict(finished), indent=2) + "\n")

    def finished(self) -> Finished | None:
        """Where the finished run lies, or None if it is not over."""
        file = self.path / "final.json"
        return Finished(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None

    def rewind(self) -> None:
        """Forgets metrics of steps that no checkpoint holds; they will be made again."""
        self._forget_after(self.next_step)

    def _settle(self, config: dict[str, Any]) -> None:
        file, wanted = self.path / "config.json", json.loads(json.dumps(config))
        if not file.is_file():
            _replace(file, json.dumps(wanted, indent=2, sort_keys=True) + "\n")
            return
        found = json.loads(file.read_text(encoding="utf-8"))
        differing = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        if differing:
            raise RunConflict(self.path, differing)

    def _forget_after(self, step: int) -> None:
        file = self.path / "metrics.jsonl"
        rows = _lines(file)
        kept = [row for row in rows if row["step"] < step]
        if len(kept) < len(rows):
            _replace(file, "".join(json.dumps(row) + "\n" for row in kept))


def _lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a file that were written whole; a torn last line is as if it had not been written."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if len(whole) < len(text):
        _replace(file, whole)
    return [json.loads(line) for line in whole.splitlines()]


def _append(file: Path, value: Mapping[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(value) + "\n")
        out.flush()
        os.fsync(out.fileno())


def _replace(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.new")
    with beside.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
