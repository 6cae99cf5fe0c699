"""The reward of the curiosity recipe: what a reply is worth, from numbers alone. Pure.

    reward     = task + lambda * gate(DA) * min(novelty, cap)
    gate(DA)   = clip((DA - 0.6) / 0.3, 0, 1): exactly 0 at and below 0.6
    novelty    = half the mean cosine distance to the nearest replies among the group's others and those remembered,
                 half the share of word pairs that none of the group's others has
    advantage  = (reward - mean of the group) / (standard deviation of the group)

Novelty as distance to the nearest of an archive: Lehman and Stanley 2011, "Abandoning Objectives". Advantages by group:
Shao et al. 2024, arXiv:2402.03300.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SILENT_UNTIL: Final = 0.6
"""Dopamine up to which curiosity earns nothing."""
FULL_FROM: Final = 0.9
NEAREST: Final = 3


def gate(dopamine: float) -> float:
    """How much curiosity counts at a dopamine level in [0, 1]: 0 up to 0.6, 1 from 0.9 on."""
    return min(max((dopamine - SILENT_UNTIL) / (FULL_FROM - SILENT_UNTIL), 0.0), 1.0)


def novelty(group: Floats, remembered: Floats) -> Floats:
    """Novelty of each reply of a group in [0, 2]; unit embeddings (group, dimension) and (remembered, dimension)."""
    others = np.concatenate([group, remembered.reshape(-1, group.shape[1])])
    distances = 1.0 - group @ others.T
    np.fill_diagonal(distances[:, : len(group)], np.inf)
    near = np.sort(distances, axis=1)[:, : min(NEAREST, len(others) - 1)]
    means: Floats = near.mean(axis=1, dtype=np.float32) if near.shape[1] else np.zeros(len(group), dtype=np.float32)
    return means


def fresh_pairs(texts: Sequence[str]) -> Floats:
    """Share of each text's word pairs that no other of the texts has, in [0, 1]; 0 for a text of fewer than two words."""
    pairs = [set(pairwise(text.lower().split())) for text in texts]
    shares = []
    for index, own in enumerate(pairs):
        others = set[tuple[str, str]]().union(*pairs[:index], *pairs[index + 1 :])
        shares.append(len(own - others) / len(own) if own else 0.0)
    return np.asarray(shares, dtype=np.float32)


def rewards(task: Sequence[float], novelties: Sequence[float], dopamine: float, strength: float, cap: float) -> Floats:
    """Reward of each reply of a group spoken at one dopamine level."""
    curiosity = strength * gate(dopamine) * np.minimum(np.asarray(novelties, dtype=np.float32), cap)
    return np.asarray(task, dtype=np.float32) + curiosity.astype(np.float32)


def advantages(group: Floats) -> Floats:
    """Rewards of a group, centred and scaled to unit deviation; zeros where all are equal."""
    deviation = float(group.std())
    centred: Floats = group - group.mean()
    return centred / np.float32(deviation) if deviation > 1e-6 else np.zeros_like(group)


def repetition(tokens: Sequence[int]) -> float:
    """Share of a reply's token pairs that it has already used, in [0, 1)."""
    pairs = list(pairwise(tokens))
    return 1.0 - len(set(pairs)) / len(pairs) if pairs else 0.0
