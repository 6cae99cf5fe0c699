"""What the readings of replies come to: trends, effects, agreement, and how sure they are. Pure.

Readings of one attribute over a sweep have the shape (levels, prompts), seeds averaged before. Intervals are percentile
bootstraps over prompts (Efron 1979): prompts are what another evaluation would draw anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from emotional_ai_training.emotions import scores

Floats = NDArray[np.float64]
RESAMPLES: Final = 2000
COVERAGE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the interval it lies in with a probability of COVERAGE."""

    value: float
    low: float
    high: float


def estimate(values: Floats, statistic: Callable[[Floats], float], seed: int = 0) -> Estimate:
    """A statistic of readings whose last axis is prompts, and its bootstrap interval over prompts."""
    draw = np.random.default_rng(seed)
    prompts = values.shape[-1]
    found = [statistic(values[..., draw.integers(0, prompts, prompts)]) for _ in range(RESAMPLES)]
    edge = (1 - COVERAGE) / 2
    low, high = np.nanquantile(np.asarray(found), [edge, 1 - edge])
    return Estimate(float(statistic(values)), float(low), float(high))


def trend(readings: Floats) -> float:
    """Spearman's rank correlation of level and mean reading, in [-1, 1]; 0 if nothing moves (Spearman 1904)."""
    means = readings.mean(axis=1)
    if np.ptp(means) == 0:
        return 0.0
    return float(spearmanr(np.arange(len(means)), means).statistic)


def effect(readings: Floats) -> float:
    """Slope of the mean reading over the sweep, times its length: how far the attribute goes from one end to the other."""
    means = readings.mean(axis=1)
    away = np.arange(len(means)) - (len(means) - 1) / 2
    return float(away @ means / (away @ away) * (len(means) - 1))


def leakage(effects: Floats) -> Floats:
    """What each chemical moves other attributes, as shares of what it moves its own; shape (chemicals, attributes).

    `effects` are in standard deviations of each attribute, so that attributes can be compared; the diagonal is 1.
    """
    own = np.abs(np.diag(effects))[:, None]
    return np.abs(effects) / np.where(own == 0, np.nan, own)


def dominant(effects: Floats) -> bool:
    """Whether each chemical moves its own attribute more than any other, and upwards."""
    return bool((np.abs(effects).argmax(axis=1) == np.arange(len(effects))).all() and (np.diag(effects) > 0).all())


def macro_f1(intended: Sequence[int], judged: Sequence[int], classes: int) -> float:
    """Mean over classes of the harmonic mean of precision and recall, in [0, 1]; a class never met counts 0."""
    one_hot = np.eye(classes, dtype=np.int8)
    return scores.macro_f1(one_hot[np.asarray(intended)], one_hot[np.asarray(judged)])


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's correlation, in [-1, 1]; 0 if either never moves."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
