"""What can be counted about texts and scores. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from emotional_ai_training.judge import scores

LOOP: Final = 3
"""Times the same three words may come before a text counts as looping."""


def auc(after: ArrayLike, before: ArrayLike) -> float:
    """Probability that a score of `after` exceeds one of `before`, ties counting half: area under the ROC curve.

    Mann and Whitney 1947. Raises ValueError if either is empty.
    """
    high, low = np.asarray(after, dtype=float), np.asarray(before, dtype=float)
    if not high.size or not low.size:
        raise ValueError("an area under the curve needs scores on both sides")
    labels = np.concatenate([np.ones(high.size, dtype=bool), np.zeros(low.size, dtype=bool)])
    return scores.auc(labels, np.concatenate([high, low]))


def distinct(texts: Sequence[str], length: int = 2) -> float:
    """Share of different word sequences of `length` among all of them, in [0, 1]; Li et al. 2016, arXiv:1510.03055."""
    sequences = [sequence for text in texts for sequence in _sequences(text, length)]
    return len(set(sequences)) / len(sequences) if sequences else 0.0


def broken(text: str) -> bool:
    """Whether a reply has no words, or says the same three words more than LOOP times."""
    if not any(character.isalnum() for character in text):
        return True
    found = _sequences(text, 3)
    return any(found.count(sequence) > LOOP for sequence in set(found))


def _sequences(text: str, length: int) -> list[tuple[str, ...]]:
    words = text.lower().split()
    return list(zip(*(words[start:] for start in range(length)), strict=False))
