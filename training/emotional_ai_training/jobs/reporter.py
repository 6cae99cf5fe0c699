"""What a training says while it runs, and whether it is asked to stop."""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol, final

from emotional_ai_training.jobs.directory import JobDirectory
from emotional_ai_training.jobs.progress import ProgressLog

log = logging.getLogger(__name__)


class Reporter(Protocol):
    """Given to a training; neither of its parts raises."""

    def report(
        self, stage: str, step: int, total_steps: int, metrics: Mapping[str, float], remaining_seconds: float
    ) -> None:
        """Says that `step` of the `total_steps` of a stage are done, and how long the whole job may still take (0: unknown)."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether to stop at the next resumable state, by raising JobCancelled. To be asked between steps."""
        ...


@final
class JobReporter:
    """Reports into a job's directory. What cannot be written is logged, and the training goes on."""

    def __init__(self, job: JobDirectory, attempt: int, stop: Callable[[], bool], clock: Callable[[], int]) -> None:
        """`stop` tells whether a signal has come; `clock` gives wall microseconds. Raises OSError, or JobDamaged."""
        self._job = job
        self._attempt = attempt
        self._stop = stop
        self._clock = clock
        self._log = ProgressLog(job.progress_path)

    def report(
        self, stage: str, step: int, total_steps: int, metrics: Mapping[str, float], remaining_seconds: float
    ) -> None:
        """As the Protocol."""
        try:
            self._log.append(self._clock(), stage, step, total_steps, metrics, remaining_seconds)
        except Exception:  # a report is no reason to lose a training
            log.exception("a report could not be written")

    @property
    def cancelled(self) -> bool:
        """As the Protocol."""
        return self._stop() or self.cancelled_by_request

    @property
    def cancelled_by_request(self) -> bool:
        """Whether a person asked this attempt to stop; a signal may also come of the machine's end."""
        try:
            return self._job.asked_to_stop() >= self._attempt
        except Exception:
            log.exception("whether the job is to stop cannot be read")
            return False
