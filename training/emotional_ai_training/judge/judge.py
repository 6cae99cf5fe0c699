"""Judges texts: the encoder, the terms and the trained heads, put together."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.emotions import SentenceEncoder, clean, windows
from emotional_ai_training.emotions.classifier import sigmoid
from emotional_ai_training.judge.weights import JudgeWeights, load_judge

WINDOW_CHARACTERS: Final = 800
"""Longest piece the encoder is given at once, about 200 of its 256 tokens."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What each text expresses: probabilities of shape (texts, 5) in the order of ADAPTERS, each state for itself.

    A row need not sum to 1. They are calibrated for texts of which one in five expresses the state.
    `both` judges by meaning and by words, `by_embedding` by meaning alone; `embeddings` (texts, 384) have unit length.
    """

    both: Floats
    by_embedding: Floats
    embeddings: Floats

    def ranks(self, state: str) -> NDArray[np.int64]:
        """For each text, how many states it expresses more strongly than `state`; 0 if none."""
        own = self.both[:, [ADAPTERS.index(state)]]
        ranks: NDArray[np.int64] = (self.both > own).sum(axis=1)
        return ranks


class Judge:
    """Judges texts with the trained heads. Deterministic on one machine; not thread-safe.

    Raises EncoderUnusable if the directory holds no encoder, JudgeDamaged if the committed heads are not whole.
    """

    def __init__(self, encoder_directory: Path, weights: JudgeWeights | None = None) -> None:
        self._weights = weights or load_judge()
        self._encoder = SentenceEncoder(encoder_directory)

    def judge(self, texts: Sequence[str]) -> Judgement:
        """Judges each text by itself; one with nothing readable in it is judged as an empty one."""
        return judged(self._weights, [clean(text) for text in texts], self.embed(texts))

    def embed(self, texts: Sequence[str]) -> Floats:
        """Returns embeddings of shape (texts, 384), rows of unit length; a long text is the mean of its windows."""
        cut = [windows(clean(text), WINDOW_CHARACTERS) for text in texts]
        embeddings = self._encoder.encode([window for parts in cut for window in parts])
        bounds = np.cumsum([0, *(len(parts) for parts in cut)])
        means = [embeddings[a:b].mean(axis=0) for a, b in itertools.pairwise(bounds)]
        stacked = np.stack(means) if means else np.zeros((0, self._encoder.dimension), dtype=np.float32)
        unit: Floats = stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
        return unit.astype(np.float32)


def judged(weights: JudgeWeights, texts: Sequence[str], embeddings: Floats) -> Judgement:
    """Judges clean texts whose embeddings are known."""
    by_embedding = weights.by_embedding.logits(embeddings)
    both = weights.mix[0] * by_embedding + weights.mix[1] * logits_by_terms(weights, texts) + weights.mix_bias
    return Judgement(sigmoid(both.astype(np.float32)), sigmoid(by_embedding), embeddings)


def logits_by_terms(weights: JudgeWeights, texts: Sequence[str]) -> Floats:
    """Returns the states' logits by words alone, of shape (texts, 5)."""
    vectors = [weights.weighting.vector(text) for text in texts]
    rows = [vector.weights @ weights.by_terms.weights[vector.columns] for vector in vectors]
    return np.asarray(rows, dtype=np.float32).reshape(len(texts), len(ADAPTERS)) + weights.by_terms.bias
