"""Do replies spoken in a state read as that state, and what do states do together? Pure."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering.statistics import Estimate, estimate, macro_f1

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Intended against judged state, over replies at the five prototypes; chance is a fifth."""

    macro_f1: Estimate
    macro_f1_by_embedding: Estimate
    confusion: tuple[tuple[float, ...], ...]
    """Share of the replies intended as each state (rows) that was judged as each (columns)."""


def agreement(judged: Floats, by_embedding: Floats) -> AgreementReport:
    """From probabilities of shape (states intended, seeds, states judged, prompts)."""
    found = judged.argmax(axis=2)
    confusion = [[float((row == column).mean()) for column in range(len(ADAPTERS))] for row in found]
    return AgreementReport(
        estimate(judged, _five_way), estimate(by_embedding, _five_way), tuple(tuple(row) for row in confusion)
    )


def _five_way(probabilities: Floats) -> float:
    found = probabilities.argmax(axis=2)
    intended = np.repeat(np.arange(len(found)), found[0].size)
    return macro_f1(intended.tolist(), found.reshape(-1).tolist(), len(ADAPTERS))


@dataclass(frozen=True, slots=True)
class CornerReport:
    """Effects over the sixteen corners: of a chemical alone, and of two together beyond the sum of both."""

    main: tuple[tuple[float, ...], ...]
    """Change of each attribute (columns) when a chemical (rows) goes from low to high, the mean over the other three."""
    interactions: dict[str, tuple[float, ...]]
    """By pair, such as "dopamine x cortisol": change of each attribute beyond the sum of the two, halved as is usual."""
    greatest: float
    """The greatest interaction as a share of the least effect of a chemical on its own attribute."""


def corner_report(values: Floats) -> CornerReport:
    """From readings of shape (corners, prompts, attributes), corners in order of `protocol.corners`: a 2^4 factorial design
    (Box, Hunter and Hunter 2005)."""
    signs = np.array(list(itertools.product((-1, 1), repeat=len(CHEMICALS))))
    means = values.mean(axis=1)
    main = 2 * signs.T @ means / len(signs)
    interactions = {
        f"{CHEMICALS[a]} x {CHEMICALS[b]}": tuple((2 * (signs[:, a] * signs[:, b]) @ means / len(signs)).tolist())
        for a, b in itertools.combinations(range(len(CHEMICALS)), 2)
    }
    greatest = max(abs(value) for row in interactions.values() for value in row)
    least = float(np.abs(np.diag(main)).min())
    return CornerReport(tuple(map(tuple, main.tolist())), interactions, greatest / least if least else float("inf"))
