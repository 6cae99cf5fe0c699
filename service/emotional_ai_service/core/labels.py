"""Named emotional states: a closed set of prototypes in the state cube, chosen by distance, with hysteresis.

p(label) = softmax(-|x - prototype|^2 / (2 sigma^2)); `neutral` sits at the agent's own baseline. The other prototypes are
design values. This is a reading of four numbers, not a claim about a validated taxonomy of emotions.
"""

import math
from typing import Final

from emotional_ai_service.core.names import Vector4

LABELS: Final = (
    "neutral",
    "joy",
    "excitement",
    "curiosity",
    "pride",
    "calm",
    "trust",
    "love",
    "empathic_concern",
    "anxiety",
    "fear",
    "anger",
    "distress",
    "sadness",
    "boredom",
    "loneliness",
)
SIGMA: Final = 0.15
"""Width of a prototype's neighbourhood, in levels."""
_FIXED: Final[tuple[Vector4, ...]] = (
    (0.85, 0.75, 0.15, 0.65),
    (0.92, 0.50, 0.40, 0.50),
    (0.80, 0.55, 0.30, 0.45),
    (0.75, 0.85, 0.20, 0.45),
    (0.45, 0.85, 0.10, 0.55),
    (0.55, 0.75, 0.15, 0.88),
    (0.75, 0.75, 0.12, 0.95),
    (0.40, 0.50, 0.50, 0.88),
    (0.40, 0.35, 0.75, 0.40),
    (0.35, 0.20, 0.92, 0.30),
    (0.70, 0.15, 0.85, 0.10),
    (0.15, 0.20, 0.85, 0.35),
    (0.15, 0.25, 0.45, 0.45),
    (0.15, 0.50, 0.20, 0.35),
    (0.30, 0.35, 0.50, 0.08),
)


def _squared_distances(x: Vector4, baseline: Vector4) -> list[float]:
    da, se, co, ox = x
    return [
        (da - a) * (da - a) + (se - b) * (se - b) + (co - c) * (co - c) + (ox - d) * (ox - d)
        for a, b, c, d in (baseline, *_FIXED)
    ]


def probabilities(x: Vector4, baseline: Vector4) -> list[float]:
    """Probability of each label at levels `x`, in the order of LABELS; sums to 1."""
    return _softmax(_squared_distances(x, baseline))


def _softmax(squared: list[float]) -> list[float]:
    nearest = min(squared)
    weights = [math.exp((nearest - d) / (2 * SIGMA * SIGMA)) for d in squared]
    total = sum(weights)
    return [w / total for w in weights]


def hold(held: int, x: Vector4, baseline: Vector4, hysteresis: float) -> int:
    """Index of the label at levels `x` when `held` was the one before.

    Another label replaces the held one only when it leads it by more than `hysteresis` in probability, in [0, 0.9].
    """
    return _decide(held, _squared_distances(x, baseline), hysteresis)


def _decide(held: int, squared: list[float], hysteresis: float) -> int:
    nearest = squared.index(min(squared))
    if nearest == held:
        return held
    p = _softmax(squared)
    return nearest if p[nearest] - p[held] > hysteresis else held


def hold_with_slack(held: int, x: Vector4, baseline: Vector4, hysteresis: float) -> tuple[int, float]:
    """As `hold`, and how far the levels may move (Euclidean) before another label could possibly take its place.

    While the held label is the nearest it stays, and it is the nearest up to the plane halfway to each other prototype; the
    distance from x to that plane is (d_q^2 - d_held^2) / (2 |p_q - p_held|).
    """
    squared = _squared_distances(x, baseline)
    label = _decide(held, squared, hysteresis)
    own = squared[label]
    prototypes = (baseline, *_FIXED)
    slack = min(
        (d - own) / (2 * math.dist(prototypes[label], prototype) + 1e-300)
        for q, (d, prototype) in enumerate(zip(squared, prototypes, strict=True))
        if q != label
    )
    return label, slack
