"""How far a training of several stages is, and how long the rest will take at the pace so far."""

import logging
from collections.abc import Mapping
from time import monotonic

from emotional_ai_training.jobs import Reporter

log = logging.getLogger(__name__)


class Progress:
    """Turns steps of stages into reports. `planned` gives each stage's work in one unit of any kind, such as tokens."""

    def __init__(self, reporter: Reporter, planned: Mapping[str, float]) -> None:
        self._reporter, self._planned = reporter, dict(planned)
        self._began = monotonic()
        self._done: dict[str, float] = {}
        self._skipped: dict[str, float] = {}

    @property
    def cancelled(self) -> bool:
        """Whether the training is to stop at its next resumable state."""
        return self._reporter.cancelled

    def say(self, line: str) -> None:
        """Tells of something that is no step, such as an attempt that failed."""
        log.warning(line)

    def start(self, stage: str, step: int, total: int) -> None:
        """Notes where a stage begins: steps before it were made earlier and say nothing about the pace."""
        self._skipped[stage] = self._planned.get(stage, 0.0) * step / max(total, 1)

    def finished(self, stage: str) -> None:
        """Notes a stage that was finished earlier."""
        self._done[stage] = self._skipped[stage] = self._planned.get(stage, 0.0)

    def report(self, stage: str, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Reports that `step` of `total` steps of a stage are done."""
        self._done[stage] = self._planned.get(stage, 0.0) * step / max(total, 1)
        self._reporter.report(stage, step, total, metrics, self._remaining())

    def _remaining(self) -> float:
        done = sum(self._done.values())
        fresh = done - sum(self._skipped.values())
        if fresh <= 0:
            return 0.0
        return (sum(self._planned.values()) - done) * (monotonic() - self._began) / fresh
