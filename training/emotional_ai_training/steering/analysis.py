"""All that an evaluation found, from replies and their readings, and whether it is what was wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering.agreement import AgreementReport, CornerReport, agreement, corner_report
from emotional_ai_training.steering.asking import Answer
from emotional_ai_training.steering.dialogues import Course, TurnReport, turn_reports
from emotional_ai_training.steering.protocol import CONTROLS, Arm, Part, Probes, Protocol, corners, rows_of
from emotional_ai_training.steering.quality import QualityReport, TrackingReport, quality, tracking
from emotional_ai_training.steering.reading import Readings
from emotional_ai_training.steering.safety import SafetyReport, safety_reports
from emotional_ai_training.steering.sweeps import (
    ChemicalReport,
    ControlReport,
    LeakageReport,
    chemical_reports,
    control_reports,
    leakage_report,
    sweep,
)

Floats = NDArray[np.float64]
OWN: Final = slice(0, len(CHEMICALS))
"""Columns of the judge that are attributes of a chemical."""


@dataclass(frozen=True, slots=True)
class Affect:
    """Valence and arousal of a state, each in [-1, 1], as the service reads them."""

    valence: float
    arousal: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What an evaluation found. Reports say what their numbers are."""

    chemicals: list[ChemicalReport]
    controls: list[ControlReport]
    leakage: LeakageReport
    leakage_by_cues: LeakageReport
    agreement: AgreementReport
    corners: CornerReport
    tracking: TrackingReport
    quality: dict[str, QualityReport]
    """By what spoke: "base model", "system", and the extremes of each chemical."""
    turns: list[TurnReport]
    safety: list[SafetyReport]
    perplexity: dict[str, float]
    """Of replies under the base model, by what spoke."""
    neutral_perplexity: dict[str, float]
    """Of neutral text, as a multiple of the base model's, by adapter."""


class Evaluated:
    """Replies with their readings, found by what was asked."""

    def __init__(self, protocol: Protocol, answers: Sequence[Answer], readings: Readings) -> None:
        self.protocol = protocol
        self.answers = answers
        self.readings = readings
        self.rows = {answer.question.key: i for i, answer in enumerate(answers)}

    def findings(
        self,
        courses: Sequence[Course],
        probes: Probes,
        affect: Mapping[str, Affect],
        perplexity: dict[str, float],
        neutral_perplexity: dict[str, float],
    ) -> Findings:
        """Everything. `affect` names the points of sweeps and corners; the perplexities are measured elsewhere."""
        judged, embedded, cues = self.readings.judged[:, OWN], self.readings.by_embedding[:, OWN], self.readings.cues
        full = sweep(self.protocol, Arm.FULL, self.rows, judged)
        full_as_controls = sweep(self._single_seed(), Arm.FULL, self.rows, judged)
        by_cues = sweep(self.protocol, Arm.FULL, self.rows, cues)
        return Findings(
            chemicals=chemical_reports(full, sweep(self.protocol, Arm.FULL, self.rows, embedded), by_cues),
            controls=control_reports(
                full_as_controls.at_levels(self.protocol.control_levels),
                {arm: sweep(self.protocol, arm, self.rows, judged) for arm in CONTROLS},
            ),
            leakage=leakage_report(full),
            leakage_by_cues=leakage_report(by_cues),
            agreement=agreement(self._prototypes(self.readings.judged), self._prototypes(self.readings.by_embedding)),
            corners=corner_report(self._corners(judged)),
            tracking=self._tracking(affect),
            quality=self._quality(),
            turns=[
                turn
                for course in courses
                for turn in turn_reports(
                    course,
                    probes,
                    self.rows,
                    judged[:, CHEMICALS.index(course.dialogue.chemical)],
                )
            ],
            safety=self._safety(),
            perplexity=perplexity,
            neutral_perplexity=neutral_perplexity,
        )

    def spoken(self, part: Part, arm: Arm, points: Sequence[str] = ()) -> list[int]:
        """Rows of the replies of a part and an arm, at some points or at all."""
        return [
            i
            for i, answer in enumerate(self.answers)
            if answer.question.part is part
            and answer.question.arm is arm
            and (not points or answer.question.point in points)
        ]

    def _single_seed(self) -> Protocol:
        return replace(self.protocol, seeds=self.protocol.seeds[:1])

    def _prototypes(self, probabilities: Floats) -> Floats:
        """Of shape (states, seeds, judged, prompts)."""
        index = [
            [
                rows_of(self.rows, Part.PROTOTYPE, Arm.FULL, state, self.protocol.prompts, seed)
                for seed in self.protocol.seeds
            ]
            for state in ADAPTERS
        ]
        return np.asarray(probabilities[np.asarray(index)].transpose(0, 1, 3, 2))

    def _corners(self, readings: Floats) -> Floats:
        """Of shape (corners, prompts) and what each reading has."""
        seed = self.protocol.seeds[0]
        index = [rows_of(self.rows, Part.CORNER, Arm.FULL, name, self.protocol.prompts, seed) for name, _ in corners()]
        return np.asarray(readings[np.asarray(index)])

    def _tracking(self, affect: Mapping[str, Affect]) -> TrackingReport:
        names = [name for name, _ in corners()]
        return tracking(
            np.array([affect[name].valence for name in names]),
            np.array([affect[name].arousal for name in names]),
            self._corners(self.readings.valence),
            self._corners(self.readings.arousal),
        )

    def _quality(self) -> dict[str, QualityReport]:
        spoken = {
            "base model": self.spoken(Part.PLAIN, Arm.PLAIN),
            "system, swept": self.spoken(Part.SWEEP, Arm.FULL),
            "system, corners": self.spoken(Part.CORNER, Arm.FULL),
        } | {f"system, {state}": self.spoken(Part.PROTOTYPE, Arm.FULL, [state]) for state in ADAPTERS}
        words = min(sum(len(self.answers[i].text.split()) for i in rows) for rows in spoken.values())
        return {
            name: quality([self.answers[i].text for i in rows], self.readings.of(rows), words)
            for name, rows in spoken.items()
        }

    def _safety(self) -> list[SafetyReport]:
        replies: dict[tuple[Part, str], list[str]] = {}
        for answer in self.answers:
            if answer.question.part in (Part.HARMFUL, Part.SYCOPHANCY):
                replies.setdefault((answer.question.part, answer.question.point), []).append(answer.text)
        return safety_reports(replies)
