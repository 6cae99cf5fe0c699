"""How well probabilities of states agree with labels: AUC, five-way macro-F1, how often the right state ranks high."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.emotions.scores import macro_f1

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class JudgeScore:
    """Agreement of one half of the judge with one set of texts; every number in [0, 1].

    auc holds one value a state, in the order of ADAPTERS; the rest is over texts that express exactly one state:
    macro_f1 of the strongest state, and the share of texts whose state ranks first, and first or second.
    """

    texts: str
    half: str
    auc: tuple[float, ...]
    macro_f1: float
    first: float
    first_or_second: float


def auc(positive: Sequence[bool] | NDArray[np.bool_], scores: Sequence[float] | NDArray[np.floating]) -> float:
    """Probability that a positive scores above a negative, ties counting half; nan if one kind is missing."""
    chosen = np.asarray(positive, dtype=bool)
    positives, negatives = int(chosen.sum()), int((~chosen).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(np.asarray(scores, dtype=np.float64))
    return float((ranks[chosen].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def score(texts: str, half: str, labels: NDArray[np.int8], weights: Floats, probabilities: Floats) -> JudgeScore:
    """Scores probabilities against labels, all of shape (texts, 5); where a weight is 0 the label says nothing."""
    heard = weights > 0
    columns = range(len(ADAPTERS))
    single = labels.sum(axis=1) == 1
    truth, found = labels[single], probabilities[single]
    strongest = np.eye(len(ADAPTERS), dtype=np.int8)[found.argmax(axis=1)]
    above = (found > found[truth == 1][:, None]).sum(axis=1)
    return JudgeScore(
        texts=texts,
        half=half,
        auc=tuple(auc(labels[heard[:, i], i] == 1, probabilities[heard[:, i], i]) for i in columns),
        macro_f1=macro_f1(truth, strongest),
        first=float((above == 0).mean()),
        first_or_second=float((above <= 1).mean()),
    )


def score_table(scores: Sequence[JudgeScore]) -> str:
    """Lays the scores out for a terminal."""
    names = [state.removeprefix("high_") for state in ADAPTERS]
    head = f"{'texts':<20}{'half':<12}" + "".join(f"{name:>10}" for name in names)
    lines = [f"{head}{'macro-F1':>10}{'first':>7}{'1st/2nd':>9}"]
    for row in scores:
        cells = "".join(f"{value:>10.3f}" for value in row.auc)
        tail = f"{row.macro_f1:>10.3f}{row.first:>7.2f}{row.first_or_second:>9.2f}"
        lines.append(f"{row.texts:<20}{row.half:<12}{cells}{tail}")
    return "\n".join(lines)
