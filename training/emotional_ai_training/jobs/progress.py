"""progress.jsonl: what a training reports, a line each, appended and flushed, so that nothing reported is lost by a kill.

A line torn by a kill or a full disk is as if it had not been written: readers pass it over, the next writer cuts it off.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, final

from emotional_ai_training.jobs.errors import JobDamaged
from emotional_ai_training.jobs.fields import WIDE, number, text, whole
from emotional_ai_training.showing import shown

TAIL_BYTES: Final = 64 * 1024
"""Read from the end to find the latest report; a longer line costs a second look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReport:
    """One report."""

    sequence: int
    """Its number, from 1, without gaps."""
    time_us: int
    """When it was made, wall microseconds since the epoch."""
    stage: str
    """What is being trained, such as "high_dopamine"."""
    step: int
    """Steps done in this stage, 0..2^32-1."""
    total_steps: int
    """Steps in this stage, 0..2^32-1."""
    metrics: Mapping[str, float]
    """Numbers by name; a loss that is not finite stays what it is."""
    remaining_seconds: float
    """Wall seconds the whole job is expected to take from now on; 0 if unknown."""

    def __post_init__(self) -> None:
        whole(self.sequence, "sequence", WIDE)
        for name in ("time_us", "step", "total_steps"):
            whole(getattr(self, name), name)
        text(self.stage, "stage")
        number(self.remaining_seconds, "remaining_seconds")
        if not isinstance(self.metrics, Mapping):
            raise TypeError(f"metrics must be numbers by name, is {shown(self.metrics)}")
        for name, value in self.metrics.items():
            number(value, text(name, "the name of a metric"))


@final
class ProgressLog:
    """The writer's end; one at a time. Goes on after the last whole line."""

    def __init__(self, path: Path) -> None:
        """Opens the log, begun if there is none. Raises OSError, or JobDamaged."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        last = latest_report(path)
        self._sequence = last.sequence if last else 0
        self._whole = _whole_bytes(path)

    def append(
        self,
        time_us: int,
        stage: str,
        step: int,
        total_steps: int,
        metrics: Mapping[str, float],
        remaining_seconds: float,
    ) -> ProgressReport:
        """Adds a report. Raises ValueError or TypeError for numbers that are none, and OSError; then nothing was added."""
        report = ProgressReport(
            sequence=self._sequence + 1,
            time_us=time_us,
            stage=str(stage),
            step=int(step),
            total_steps=int(total_steps),
            metrics={str(name): float(value) for name, value in metrics.items()},
            remaining_seconds=float(remaining_seconds),
        )
        line = json.dumps(asdict(report)).encode() + b"\n"
        os.ftruncate(self._file, self._whole)  # cuts off what a failed write left
        if os.write(self._file, line) < len(line):
            raise OSError("the disk took only a part of a report")
        self._whole += len(line)
        self._sequence = report.sequence
        return report

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


@final
class ProgressReader:
    """A reader's end: each call gives the reports that are new since the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[ProgressReport]:
        """New reports, in order; none while there is no file. Raises JobDamaged for a line that is no report."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [_report(self._path, line) for line in whole.splitlines()]


def latest_report(path: Path) -> ProgressReport | None:
    """The last whole report, found from the end of the file; None if there is none. Raises JobDamaged."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            for length in (TAIL_BYTES, size):
                file.seek(max(size - length, 0))
                lines = file.read(size).split(b"\n")[:-1]  # what follows the last line break is torn, or nothing
                if len(lines) > 1 or (lines and length >= size):
                    return _report(path, lines[-1])
    except FileNotFoundError:
        return None
    return None


def _whole_bytes(path: Path) -> int:
    """Where the last whole line ends."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        for length in (TAIL_BYTES, size):
            first = max(size - length, 0)
            file.seek(first)
            end = file.read(size - first).rfind(b"\n") + 1
            if end:
                return first + end
    return 0


def _report(path: Path, line: bytes) -> ProgressReport:
    try:
        return ProgressReport(**json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        raise JobDamaged(path, f"holds a line that is no report: {error}") from error
