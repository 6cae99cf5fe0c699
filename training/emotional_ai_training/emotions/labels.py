"""The emotions of the GoEmotions taxonomy, in the order of its label ids, their Ekman groups, and the signals.

Source: Demszky et al. 2020, "GoEmotions: A Dataset of Fine-Grained Emotions", ACL 2020.
"""

from typing import Final

EMOTIONS: Final = (
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
)

# A text belongs to a group if it carries any emotion of it.
EKMAN: Final[dict[str, tuple[str, ...]]] = {
    "anger": ("anger", "annoyance", "disapproval"),
    "disgust": ("disgust",),
    "fear": ("fear", "nervousness"),
    "joy": (
        "joy",
        "amusement",
        "approval",
        "excitement",
        "gratitude",
        "love",
        "optimism",
        "relief",
        "pride",
        "admiration",
        "desire",
        "caring",
    ),
    "sadness": ("sadness", "disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("surprise", "realization", "confusion", "curiosity"),
    "neutral": ("neutral",),
}

# The sentiments of the taxonomy; what it calls ambiguous, and "neutral", is of neither.
POSITIVE: Final = (
    "admiration",
    "amusement",
    "approval",
    "caring",
    "desire",
    "excitement",
    "gratitude",
    "joy",
    "love",
    "optimism",
    "pride",
    "relief",
)
NEGATIVE: Final = (
    "anger",
    "annoyance",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "fear",
    "grief",
    "nervousness",
    "remorse",
    "sadness",
)

# The signals of the contract, in its order.
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
