"""How well probabilities agree with labels: macro-F1, thresholds that serve it, and Ekman groups.

Labels and decisions are 0 or 1, of shape (texts, labels). Source of the groups' definition: a text belongs to an Ekman
group if it carries any emotion of it (Demszky et al. 2020).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.emotions.labels import EKMAN, EMOTIONS

_CANDIDATES: Final = 200

Floats = NDArray[np.float32]
Labels = NDArray[np.int8]


def f1(labels: NDArray[Any], found: NDArray[Any]) -> Floats:
    """F1 of each column, in [0, 1]; 0 where nothing is labelled and nothing found."""
    both = np.logical_and(labels, found).sum(axis=0)
    total = labels.astype(bool).sum(axis=0) + found.astype(bool).sum(axis=0)
    score: Floats = (2 * both / np.maximum(total, 1)).astype(np.float32)
    return score


def macro_f1(labels: NDArray[Any], found: NDArray[Any]) -> float:
    """Mean of the columns' F1."""
    return float(f1(labels, found).mean())


def tune_thresholds(labels: NDArray[Any], probabilities: Floats, beta: float = 1.0) -> Floats:
    """Returns the threshold of each column that gives the best F-beta, among quantiles of its probabilities.

    `beta` says how many times more a label missed weighs than one found in vain; 1 is F1.
    """
    levels = np.linspace(0.5, 0.9995, _CANDIDATES)
    tuned = np.empty(labels.shape[1], dtype=np.float32)
    for column in range(labels.shape[1]):
        candidates = np.quantile(probabilities[:, column], levels).astype(np.float32)
        found = probabilities[:, column, None] >= candidates
        hits = (found & (labels[:, column, None] == 1)).sum(axis=0)
        wanted = beta**2 * labels[:, column].sum() + found.sum(axis=0)
        scores = (1 + beta**2) * hits / np.maximum(wanted, 1)
        # Neighbours are averaged: a lone lucky threshold on the tuning data is not the best one elsewhere.
        smooth = np.convolve(np.pad(scores, 2, mode="edge"), np.full(5, 0.2), mode="valid")
        tuned[column] = candidates[int(np.argmax(smooth))]
    return tuned


def ekman(found: NDArray[Any]) -> Labels:
    """Joins decisions about emotions into the seven Ekman groups, neutral included."""
    columns = [
        found[:, [EMOTIONS.index(emotion) for emotion in members]].any(axis=1).astype(np.int8)
        for members in EKMAN.values()
    ]
    return np.stack(columns, axis=1)
