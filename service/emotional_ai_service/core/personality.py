"""Big Five traits to a baseline: b = s(logit b0 + B (2 t - 1)), clipped to [0.05, 0.95].

The signs of B follow the trait literature (openness and extraversion with reward sensitivity, neuroticism with stress
reactivity, agreeableness with affiliation); the magnitudes are design values.
"""

import math
from dataclasses import dataclass, fields

from emotional_ai_service.core.errors import InvalidConfiguration
from emotional_ai_service.core.names import Vector4
from emotional_ai_training.conditioning import BASELINE

_SHIFT = {
    "openness": (0.4, 0.0, 0.0, 0.0),
    "conscientiousness": (0.0, 0.3, 0.0, 0.0),
    "extraversion": (0.4, 0.0, -0.2, 0.3),
    "agreeableness": (0.0, 0.0, -0.2, 0.6),
    "neuroticism": (0.0, -0.6, 0.7, 0.0),
}
"""B, log-odds of the baseline per full trait, by trait and chemical."""


@dataclass(frozen=True, slots=True)
class BigFive:
    """Traits in [0, 1], 0.5 being average. Raises InvalidConfiguration outside."""

    openness: float = 0.5
    conscientiousness: float = 0.5
    extraversion: float = 0.5
    agreeableness: float = 0.5
    neuroticism: float = 0.5

    def __post_init__(self) -> None:
        for trait in fields(self):
            if not 0 <= getattr(self, trait.name) <= 1:
                value = getattr(self, trait.name)
                raise InvalidConfiguration(f"personality.{trait.name}", f"must be in [0, 1], got {value:g}")


def baseline_of(traits: BigFive, average: Vector4 = BASELINE) -> Vector4:
    """Baseline of an agent with these traits; `average` (each in (0, 1)) is the baseline of the average agent."""
    shift = [0.0] * 4
    for trait, effect in _SHIFT.items():
        deviation = 2 * getattr(traits, trait) - 1
        shift = [total + weight * deviation for total, weight in zip(shift, effect, strict=True)]
    da, se, co, ox = (
        min(max(1 / (1 + math.exp(-(math.log(b / (1 - b)) + s))), 0.05), 0.95)
        for b, s in zip(average, shift, strict=True)
    )
    return da, se, co, ox
