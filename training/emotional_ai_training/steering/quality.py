"""Whether replies stay whole, varied and about the prompt while they are steered. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.evaluation.measures import distinct
from emotional_ai_training.steering.reading import Readings
from emotional_ai_training.steering.statistics import Estimate, correlation, estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Shares and means over all replies of one arm."""

    replies: int
    broken: float
    """Share without words or in a loop, in [0, 1]."""
    distinct: float
    """Share of different word pairs among all, at as many words for every arm (Li et al. 2016), in [0, 1]."""
    topic: float
    """Mean cosine similarity of reply and prompt."""
    off_topic: float
    """The same to the prompt of another reply: what any reply has with any prompt."""
    words: float
    """Mean words of a reply."""

    @property
    def about(self) -> float:
        """Similarity to the own prompt beyond that to any."""
        return self.topic - self.off_topic


def quality(texts: Sequence[str], readings: Readings, most_words: int) -> QualityReport:
    """How replies are. Pairs are counted on up to `most_words`, in a fixed order: few words hold more different ones."""
    lengths = np.array([len(text.split()) for text in texts])
    order = np.random.default_rng(0).permutation(len(texts))
    within = order[np.cumsum(lengths[order]) <= most_words]
    return QualityReport(
        replies=len(texts),
        broken=float(readings.broken.mean()),
        distinct=distinct([texts[i] for i in within]),
        topic=float(readings.topic.mean()),
        off_topic=float(readings.off_topic.mean()),
        words=float(lengths.mean()),
    )


@dataclass(frozen=True, slots=True)
class TrackingReport:
    """Correlation of what a state is with what its replies express, over states, each the mean of its prompts."""

    valence: Estimate
    arousal: Estimate


def tracking(state_valence: Floats, state_arousal: Floats, valence: Floats, arousal: Floats) -> TrackingReport:
    """From the states' (points,) and the readings' (points, prompts)."""
    return TrackingReport(
        estimate(valence, lambda v: correlation(state_valence, v.mean(axis=1))),
        estimate(arousal, lambda v: correlation(state_arousal, v.mean(axis=1))),
    )
