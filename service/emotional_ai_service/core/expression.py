"""From a state to a way of speaking: blend weights, temperature, top_p, conditioning tokens, a gloss in words.

    e_i = clip((x_i - b_i) / (peak_i - b_i), 0, 1)    w_i = e_i / max(1, sum e)    w_balanced = max(0, 1 - sum e)
    T = clip(T0 exp(DA - b_DA), 0.3, 1.3)             top_p = clip(p0 - 0.30 (CO - b_CO), 0.60, 0.98)

The weights are continuous, sum to 1, rise with their chemical, and are one-hot exactly at a prototype. "More dopamine,
higher temperature" is a convention of this project, not neuroscience; INVERTED_U is offered beside it.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

from emotional_ai_service.core.errors import InvalidConfiguration
from emotional_ai_service.core.labels import hold, probabilities
from emotional_ai_service.core.names import Vector4
from emotional_ai_training.conditioning import PEAKS, conditioning_tokens, gloss, relative_deviation

LEAST_TEMPERATURE: Final = 0.3
GREATEST_TEMPERATURE: Final = 1.3
LEVEL_WORDS: Final = ("very low", "low", "medium", "high", "very high")
_VALENCE: Final[Vector4] = (7 / 26, 6 / 26, -9 / 26, 4 / 26)
_AROUSAL: Final[Vector4] = (10 / 27, -5 / 27, 12 / 27, 0.0)
"""Linear readings of relative deviation; each row's absolute values sum to 1, so both views stay in [-1, 1]."""


class TemperatureLaw(Enum):
    """How temperature follows dopamine."""

    MONOTONE = "monotone"
    INVERTED_U = "inverted_u"


@dataclass(frozen=True, slots=True)
class ExpressionRule:
    """How one agent expresses its state. Raises InvalidConfiguration when a value is outside its range."""

    temperature_law: TemperatureLaw = TemperatureLaw.MONOTONE
    base_temperature: float = 0.8
    """Temperature at the baseline, in [0.3, 1.3]."""
    base_top_p: float = 0.92
    """Nucleus mass at the baseline, in [0.6, 0.98]."""
    label_hysteresis: float = 0.10
    """Lead in probability a new label needs, in [0, 0.9]."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("base_temperature", LEAST_TEMPERATURE, GREATEST_TEMPERATURE),
            ("base_top_p", 0.60, 0.98),
            ("label_hysteresis", 0.0, 0.9),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidConfiguration(f"expression.{name}", f"must be in [{low:g}, {high:g}], got {value:g}")


@dataclass(frozen=True, slots=True)
class Expression:
    """A way of speaking; ranges as in the contract's message of the same name."""

    levels: Vector4
    blend: tuple[float, ...]
    """Weights in the order of ADAPTERS, each in [0, 1], summing to 1."""
    temperature: float
    top_p: float
    conditioning: str
    gloss: str
    level_words: tuple[str, ...]
    label: int
    """Index into LABELS."""
    label_probabilities: tuple[float, ...]
    valence: float
    arousal: float


def express(x: Vector4, baseline: Vector4, rule: ExpressionRule, held_label: int = 0) -> Expression:
    """The way an agent with this baseline and rule speaks at levels `x`, each in [0, 1]; `held_label` indexes LABELS."""
    pleasantness, activation = affect(x, baseline)
    return Expression(
        levels=x,
        blend=blend_weights(x, baseline),
        temperature=temperature(x, baseline, rule),
        top_p=min(max(rule.base_top_p - 0.30 * (x[2] - baseline[2]), 0.60), 0.98),
        conditioning=conditioning_tokens(x),
        gloss=gloss(x, baseline),
        level_words=tuple(LEVEL_WORDS[min(int(level * 5 + 1e-9), 4)] for level in x),
        label=hold(held_label, x, baseline, rule.label_hysteresis),
        label_probabilities=tuple(probabilities(x, baseline)),
        valence=pleasantness,
        arousal=activation,
    )


def blend_weights(x: Vector4, baseline: Vector4) -> tuple[float, ...]:
    """Weights over ADAPTERS. Where a baseline lies at or above a peak, that adapter starts at the baseline and peaks at 1."""
    excess = [
        min(max((level - b) / ((peak if peak > b else 1.0) - b), 0.0), 1.0)
        for level, b, peak in zip(x, baseline, PEAKS, strict=True)
    ]
    total = sum(excess)
    return (*(e / max(1.0, total) for e in excess), max(0.0, 1.0 - total))


def temperature(x: Vector4, baseline: Vector4, rule: ExpressionRule) -> float:
    """Sampling temperature, in [0.3, 1.3]."""
    deviation = x[0] - baseline[0]
    if rule.temperature_law is TemperatureLaw.MONOTONE:
        value = rule.base_temperature * math.exp(deviation)
    else:
        value = rule.base_temperature * math.exp(-2 * deviation * deviation)
    return min(max(value, LEAST_TEMPERATURE), GREATEST_TEMPERATURE)


def valence(x: Vector4, baseline: Vector4) -> float:
    """Pleasantness relative to the baseline, in [-1, 1]: a linear reading of the chemistry, not a validated scale."""
    return affect(x, baseline)[0]


def arousal(x: Vector4, baseline: Vector4) -> float:
    """Activation relative to the baseline, in [-1, 1]: a linear reading of the chemistry, not a validated scale."""
    return affect(x, baseline)[1]


def affect(x: Vector4, baseline: Vector4) -> tuple[float, float]:
    """Valence and arousal together; see each."""
    da, se, co, ox = relative_deviation(x, baseline)
    return (
        _VALENCE[0] * da + _VALENCE[1] * se + _VALENCE[2] * co + _VALENCE[3] * ox,
        _AROUSAL[0] * da + _AROUSAL[1] * se + _AROUSAL[2] * co + _AROUSAL[3] * ox,
    )
