"""From a state to a way of speaking: blend weights, temperature, top_p, conditioning tokens, a gloss in words.

An agent may express less than it feels. Everything is made of the expressed levels e, chemical by chemical:

    e = min(b + intensity (x - b), cap)

and not of the levels x themselves:

    T = clip(T0 exp(e_DA - b_DA), 0.3, 1.3)           top_p = clip(p0 - 0.30 (e_CO - b_CO), 0.60, 0.98)

The blend weights are those of blending.py. "More dopamine, higher temperature" is a convention of this project, not
neuroscience; INVERTED_U is offered beside it.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

from emotional_ai_service.core.blending import Prototype, Share, blend
from emotional_ai_service.core.errors import InvalidConfiguration
from emotional_ai_service.core.labels import hold, probabilities
from emotional_ai_service.core.names import CHEMICALS, Vector4
from emotional_ai_training.conditioning import (
    GREATEST_TEMPERATURE,
    LEAST_TEMPERATURE,
    REST_TEMPERATURE,
    conditioning_tokens,
    gloss,
    monotone_temperature,
    relative_deviation,
)

NO_CAPS: Final[Vector4] = (1.0, 1.0, 1.0, 1.0)
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
    base_temperature: float = REST_TEMPERATURE
    """Temperature at the baseline, in [0.3, 1.3]."""
    base_top_p: float = 0.92
    """Nucleus mass at the baseline, in [0.6, 0.98]."""
    label_hysteresis: float = 0.10
    """Lead in probability a new label needs, in [0, 0.9]."""
    intensity: float = 1.0
    """How much of the deviation from the baseline is expressed, in [0, 1]."""
    caps: Vector4 = NO_CAPS
    """Greatest levels expressed, each in [0, 1]; see `check_caps`."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("base_temperature", LEAST_TEMPERATURE, GREATEST_TEMPERATURE),
            ("base_top_p", 0.60, 0.98),
            ("label_hysteresis", 0.0, 0.9),
            ("intensity", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidConfiguration(f"expression.{name}", f"must be in [{low:g}, {high:g}], got {value:g}")
        for name, cap in zip(CHEMICALS, self.caps, strict=True):
            if not 0 <= cap <= 1:
                raise InvalidConfiguration(f"expression.caps.{name}", f"must be in [0, 1], got {cap:g}")

    def check_caps(self, baseline: Vector4) -> None:
        """Raises InvalidConfiguration for a cap below the baseline, where not even an agent at rest could speak as itself."""
        for name, cap, rest in zip(CHEMICALS, self.caps, baseline, strict=True):
            if cap < rest:
                allowed = f"must be at least the baseline, {rest:g}, and at most 1"
                raise InvalidConfiguration(f"expression.caps.{name}", f"{allowed}, got {cap:g}")


@dataclass(frozen=True, slots=True)
class Expression:
    """A way of speaking; ranges as in the contract's message of the same name."""

    levels: Vector4
    """Those expressed."""
    blend: tuple[Share, ...]
    """Weights over ADAPTERS, then the further adapters, summing to 1."""
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


def express(
    x: Vector4, baseline: Vector4, rule: ExpressionRule, held_label: int = 0, further: tuple[Prototype, ...] = ()
) -> Expression:
    """The way an agent with this baseline and rule speaks when it feels levels `x`, each in [0, 1].

    `held_label` indexes LABELS; `further` are the adapters that can be blended beside the five of ADAPTERS.
    """
    e = expressed(x, baseline, rule)
    pleasantness, activation = affect(e, baseline)
    return Expression(
        levels=e,
        blend=blend(e, baseline, further),
        temperature=temperature(e, baseline, rule),
        top_p=nucleus(e, baseline, rule),
        conditioning=conditioning_tokens(e),
        gloss=gloss(e, baseline),
        level_words=tuple(LEVEL_WORDS[min(int(level * 5 + 1e-9), 4)] for level in e),
        label=hold(held_label, e, baseline, rule.label_hysteresis),
        label_probabilities=tuple(probabilities(e, baseline)),
        valence=pleasantness,
        arousal=activation,
    )


def expressed(x: Vector4, baseline: Vector4, rule: ExpressionRule) -> Vector4:
    """Levels that show when `x` are felt, each in [0, 1]; `x` itself, to the bit, at intensity 1 without caps."""
    share = rule.intensity
    shown = x if share == 1 else [b + share * (level - b) for level, b in zip(x, baseline, strict=True)]
    da, se, co, ox = map(min, shown, rule.caps)
    return da, se, co, ox


def nucleus(x: Vector4, baseline: Vector4, rule: ExpressionRule) -> float:
    """Nucleus mass, in [0.6, 0.98]."""
    return min(max(rule.base_top_p - 0.30 * (x[2] - baseline[2]), 0.60), 0.98)


def temperature(x: Vector4, baseline: Vector4, rule: ExpressionRule) -> float:
    """Sampling temperature, in [0.3, 1.3]."""
    deviation = x[0] - baseline[0]
    if rule.temperature_law is TemperatureLaw.MONOTONE:
        return monotone_temperature(deviation, rule.base_temperature)
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
