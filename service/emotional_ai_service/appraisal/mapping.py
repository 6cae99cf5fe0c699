"""From emotions and cues to the twelve signals: the arithmetic, pure.

1. strength(p, t) makes a probability comparable across labels: 0 at 0, 1/2 at the label's threshold t, 1 at 1.
2. Each emotion feeds signals by `FEEDS`; those of `FEEDS_ABOUT_AGENT` are added if the text speaks to the agent.
3. Each signal has a head of its own as well; heads of signals meant for the agent are damped by the direction.
4. A signal is the stronger of the two, and it is found if it reaches `FOUND`; what is not found is 0.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from emotional_ai_service.appraisal.cues import Cues, Direction
from emotional_ai_service.core.names import SIGNALS, SignalVector
from emotional_ai_training.emotions.labels import NEGATIVE, POSITIVE

FOUND: Final = 0.5

# How much of an emotion's strength reaches a signal, whoever it is about.
FEEDS: Final[Mapping[str, Mapping[str, float]]] = {
    "admiration": {"reward": 0.6},
    "amusement": {"reward": 0.8},
    "anger": {"conflict": 1.0},
    "annoyance": {"conflict": 0.9},
    "approval": {"reward": 0.4},
    "caring": {"social_warmth": 0.8},
    "confusion": {"uncertainty": 1.0},
    "curiosity": {"uncertainty": 0.6, "novelty": 0.6},
    "desire": {"reward": 0.4},
    "disappointment": {"loss": 0.9},
    "disapproval": {"conflict": 0.7},
    "disgust": {"conflict": 0.7},
    "embarrassment": {"loss": 0.6},
    "excitement": {"reward": 1.0, "novelty": 0.5},
    "fear": {"threat": 1.0},
    "gratitude": {"social_warmth": 0.8},
    "grief": {"loss": 1.0},
    "joy": {"reward": 1.0},
    "love": {"social_warmth": 0.6, "reward": 0.6},
    "nervousness": {"threat": 0.9, "uncertainty": 0.6},
    "optimism": {"reward": 0.6},
    "pride": {"achievement": 1.0, "reward": 0.6},
    "realization": {"novelty": 0.6},
    "relief": {"relaxation": 1.0},
    "remorse": {"loss": 0.7},
    "sadness": {"loss": 1.0},
    "surprise": {"novelty": 1.0},
    "neutral": {},
}

# What is added when the person says it to the agent.
FEEDS_ABOUT_AGENT: Final[Mapping[str, Mapping[str, float]]] = {
    "admiration": {"praise": 1.0, "social_warmth": 0.6},
    "anger": {"rejection": 0.7},
    "annoyance": {"rejection": 0.6},
    "approval": {"praise": 0.6},
    "disapproval": {"rejection": 0.6},
    "disgust": {"rejection": 0.6},
    "gratitude": {"social_warmth": 1.0, "praise": 0.7},
    "love": {"social_warmth": 1.0},
}

# What is left of a signal meant for the agent, by whom the text speaks about.
FOR_AGENT: Final = ("praise", "social_warmth", "rejection")
DAMPING: Final[Mapping[Direction, float]] = {Direction.AGENT: 1.0, Direction.OPEN: 1.0, Direction.OTHERS: 0.8}

POSITIVE_SIGNALS: Final = ("reward", "achievement", "social_warmth", "praise", "relaxation")
NEGATIVE_SIGNALS: Final = ("threat", "rejection", "loss", "conflict", "boredom")
# Evidence this weak leaves the valence near 0.
VALENCE_DOUBT: Final = 0.3


def strength(probability: float, threshold: float) -> float:
    """Places a probability in [0, 1] against its threshold in (0, 1): 1/2 at the threshold, linear on either side."""
    if probability < threshold:
        return 0.5 * probability / threshold
    return 0.5 + 0.5 * (probability - threshold) / (1.0 - threshold)


def from_emotions(strengths: Mapping[str, float], cues: Cues) -> dict[str, float]:
    """Returns what the emotions' strengths say of each signal, in [0, 1]: the strongest that feeds it."""
    tables = (FEEDS, FEEDS_ABOUT_AGENT) if cues.direction is Direction.AGENT else (FEEDS,)
    signals = dict.fromkeys(SIGNALS, 0.0)
    for table in tables:
        for emotion, feeds in table.items():
            for signal, weight in feeds.items():
                signals[signal] = max(signals[signal], weight * strengths[emotion])
    return signals


def from_heads(strengths: Mapping[str, float], cues: Cues) -> dict[str, float]:
    """Returns what the signals' own heads say, those meant for the agent damped by the direction."""
    damping = DAMPING[cues.direction]
    return {name: value * damping if name in FOR_AGENT else value for name, value in strengths.items()}


def found_only(signals: Mapping[str, float]) -> SignalVector:
    """Returns the signals in their fixed order, each in [0, 1], those below `FOUND` as 0."""
    return tuple(value if (value := min(signals[name], 1.0)) >= FOUND else 0.0 for name in SIGNALS)


def valence(emotions: Mapping[str, float], signals: Mapping[str, float]) -> float:
    """Returns (P - N) / (P + N + 0.3) in (-1, 1), P and N the summed probabilities of what is pleasant and what is not."""
    pleasant = _total(emotions, POSITIVE) + _total(signals, POSITIVE_SIGNALS)
    unpleasant = _total(emotions, NEGATIVE) + _total(signals, NEGATIVE_SIGNALS)
    return (pleasant - unpleasant) / (pleasant + unpleasant + VALENCE_DOUBT)


def _total(probabilities: Mapping[str, float], names: Sequence[str]) -> float:
    return sum(probabilities[name] for name in names)
