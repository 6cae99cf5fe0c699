"""What the sweeps come to: does a chemical move its own attribute, gradually, and no other, and what of the system does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering.protocol import CONTROLS, Arm, Part, Protocol, point, rows_of
from emotional_ai_training.steering.statistics import (
    Estimate,
    dominant,
    effect,
    estimate,
    leakage,
    trend,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Readings of one arm over the sweeps, of shape (chemicals, levels, prompts, attributes), seeds averaged."""

    levels: tuple[float, ...]
    values: Floats

    def own(self, chemical: int) -> Floats:
        """A chemical's own attribute, of shape (levels, prompts)."""
        return np.asarray(self.values[chemical, :, :, chemical])

    def at_levels(self, levels: Sequence[float]) -> "Sweep":
        """The same at some of its levels."""
        index = [self.levels.index(level) for level in levels]
        return Sweep(tuple(levels), self.values[:, index])


@dataclass(frozen=True, slots=True)
class ChemicalReport:
    """How one chemical steers its own attribute."""

    chemical: str
    trend: Estimate
    """Spearman's correlation of level and mean reading."""
    effect: Estimate
    """Change of the mean reading from one end of the sweep to the other, along a straight line."""
    means: tuple[float, ...]
    """Mean reading at each level."""
    trend_by_embedding: float
    trend_by_cues: float
    effect_by_embedding: Estimate
    effect_by_cues: Estimate


@dataclass(frozen=True, slots=True)
class ControlReport:
    """One control beside the whole system, on one chemical, over the levels and the seed of the controls."""

    arm: Arm
    chemical: str
    effect: Estimate
    ahead: Estimate
    """Effect of the whole system less that of the control."""


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """What each chemical moves: effects in standard deviations of the attribute, rows chemicals, columns attributes."""

    effects: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    """The same as shares of the chemical's effect on its own attribute."""
    greatest: float
    """The greatest share beside the diagonal."""
    dominant: bool
    """Whether every chemical moves its own attribute most, and upwards."""


def chemical_reports(judged: Sweep, by_embedding: Sweep, cues: Sweep) -> list[ChemicalReport]:
    """One report a chemical, by the first judge, its embedding half and the second judge."""
    return [
        ChemicalReport(
            chemical=name,
            trend=estimate(judged.own(i), trend),
            effect=estimate(judged.own(i), effect),
            means=tuple(judged.own(i).mean(axis=1).tolist()),
            trend_by_embedding=trend(by_embedding.own(i)),
            trend_by_cues=trend(cues.own(i)),
            effect_by_embedding=estimate(by_embedding.own(i), effect),
            effect_by_cues=estimate(cues.own(i), effect),
        )
        for i, name in enumerate(CHEMICALS)
    ]


def control_reports(full: Sweep, controls: Mapping[Arm, Sweep]) -> list[ControlReport]:
    """Every control on every chemical; `full` at the controls' levels and seed."""
    reports = []
    for arm in CONTROLS:
        for i, name in enumerate(CHEMICALS):
            own, other = full.own(i), controls[arm].own(i)
            both = np.stack([own, other])
            reports.append(
                ControlReport(arm, name, estimate(other, effect), estimate(both, lambda v: effect(v[0]) - effect(v[1])))
            )
    return reports


def leakage_report(judged: Sweep) -> LeakageReport:
    """What each chemical moves besides its own attribute."""
    deviation = judged.values.reshape(-1, judged.values.shape[-1]).std(axis=0)
    deviation = np.where(deviation == 0, np.nan, deviation)  # an attribute that is never expressed is moved by nothing
    effects = np.array([[effect(judged.values[i, :, :, j]) for j in range(4)] for i in range(4)]) / deviation[:4]
    shares = leakage(effects)
    beside = shares[~np.eye(4, dtype=bool)]
    return LeakageReport(
        effects=tuple(map(tuple, effects.tolist())),
        shares=tuple(map(tuple, shares.tolist())),
        greatest=float(np.nanmax(beside, initial=0.0)),
        dominant=dominant(effects),
    )


def sweep(protocol: Protocol, arm: Arm, rows: Mapping[str, int], readings: Floats) -> Sweep:
    """Arranges readings of shape (replies, attributes); `rows` says by its question's key which row a reply is."""
    control = arm is not Arm.FULL
    part, levels = (Part.CONTROL, protocol.control_levels) if control else (Part.SWEEP, protocol.levels)
    seeds = protocol.seeds[:1] if control else protocol.seeds
    index = [
        [[rows_of(rows, part, arm, point(i, level), protocol.prompts, seed) for seed in seeds] for level in levels]
        for i in range(len(CHEMICALS))
    ]
    return Sweep(levels, readings[np.asarray(index)].mean(axis=2))
