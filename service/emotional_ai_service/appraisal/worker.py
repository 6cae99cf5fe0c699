"""The appraiser as the target of a worker process."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai_service.appraisal.errors import AppraisalError
from emotional_ai_service.errors import InvalidRequest, Violation
from emotional_ai_service.workers.target import RoundRobin

TEXTS_PER_STEP: Final = 16
"""Texts appraised before another request gets its turn."""


@dataclass(frozen=True, slots=True)
class AppraisalJob:
    """Texts to appraise, each by itself, after the person's earlier messages, oldest first."""

    texts: tuple[str, ...]
    earlier: tuple[str, ...] = ()


def appraiser_target(encoder_directory: Path) -> RoundRobin[AppraisalJob]:
    """Answers a job with lists of Appraisal, a few texts each, in order."""
    from emotional_ai_service.appraisal.appraiser import open_appraiser  # imports torch, which the parent must not

    appraiser = open_appraiser(encoder_directory)

    def handle(job: AppraisalJob) -> Iterator[object]:
        for start in range(0, len(job.texts), TEXTS_PER_STEP):
            try:
                yield appraiser.appraise(job.texts[start : start + TEXTS_PER_STEP], job.earlier)
            except AppraisalError as error:
                raise InvalidRequest([Violation(f"texts[{start + error.index}]", str(error))]) from error

    return RoundRobin(handle)
