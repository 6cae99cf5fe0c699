"""The closed sets of the model, in the order every vector of the core follows."""

from typing import Final

CHEMICALS: Final = ("dopamine", "serotonin", "cortisol", "oxytocin")
SIGNALS: Final = (
    "reward",
    "novelty",
    "achievement",
    "social_warmth",
    "praise",
    "relaxation",
    "threat",
    "uncertainty",
    "rejection",
    "loss",
    "conflict",
    "boredom",
)

Vector4 = tuple[float, float, float, float]
Matrix4 = tuple[Vector4, Vector4, Vector4, Vector4]
SignalVector = tuple[float, ...]

ZERO4: Final[Vector4] = (0.0, 0.0, 0.0, 0.0)
NO_SIGNALS: Final[SignalVector] = (0.0,) * len(SIGNALS)
