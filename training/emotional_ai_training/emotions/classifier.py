"""Reads emotions and signals in texts: the encoder, the terms and the heads, put together."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.emotions.terms import TermVector
from emotional_ai_training.emotions.text import clean, windows
from emotional_ai_training.emotions.weights import HeadWeights

Floats = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into embeddings of shape (texts, dimension), rows of unit length."""

    def encode(self, texts: Sequence[str]) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What one text says: probabilities of the emotions and of the signals, and its embedding of unit length.

    A text of several windows has the highest probability of any of them (an emotion is in a text if it is in a part of
    it) and the mean of their embeddings.
    """

    emotions: tuple[float, ...]
    signals: tuple[float, ...]
    embedding: Floats


def sigmoid(logits: Floats) -> Floats:
    """The logistic function, without overflow."""
    result: Floats = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)
    return result


def term_logits(vectors: Sequence[TermVector], heads: HeadWeights) -> Floats:
    """Returns the logits of the emotions by terms alone, of shape (texts, emotions)."""
    rows = [vector.weights @ heads.term_head.weights[vector.columns] for vector in vectors]
    return np.asarray(rows, dtype=np.float32) + heads.term_head.bias


class EmotionReader:
    """Reads texts with the trained heads. Not thread-safe; one reader belongs to one worker."""

    def __init__(self, encoder: Encoder, heads: HeadWeights) -> None:
        self._encoder = encoder
        self.heads = heads

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Reads each text by itself. A text with nothing readable in it is the caller's to refuse before."""
        cut = [windows(clean(text)) for text in texts]
        flat = [window for parts in cut for window in parts]
        embeddings = self._encoder.encode(flat)
        emotions = self._emotions(flat, embeddings)
        signals = sigmoid(self.heads.signal_head.logits(embeddings))
        readings = []
        start = 0
        for parts in cut:
            part = slice(start, start + len(parts))
            readings.append(_combined(emotions[part], signals[part], embeddings[part]))
            start += len(parts)
        return readings

    def embed(self, texts: Sequence[str]) -> Floats:
        """Returns one embedding of unit length for each text, of shape (texts, dimension)."""
        cut = [windows(clean(text)) for text in texts]
        embeddings = self._encoder.encode([window for parts in cut for window in parts])
        bounds = np.cumsum([0, *(len(parts) for parts in cut)])
        return np.stack([_mean(embeddings[a:b]) for a, b in itertools.pairwise(bounds)])

    def _emotions(self, texts: Sequence[str], embeddings: Floats) -> Floats:
        by_meaning = self.heads.emotion_head.logits(embeddings)
        by_terms = term_logits([self.heads.weighting.vector(text) for text in texts], self.heads)
        mixed = self.heads.mix[0] * by_meaning + self.heads.mix[1] * by_terms + self.heads.mix_bias
        return sigmoid(mixed.astype(np.float32))


def _combined(emotions: Floats, signals: Floats, embeddings: Floats) -> Reading:
    return Reading(
        emotions=tuple(float(p) for p in emotions.max(axis=0)),
        signals=tuple(float(p) for p in signals.max(axis=0)),
        embedding=_mean(embeddings),
    )


def _mean(embeddings: Floats) -> Floats:
    mean = embeddings.mean(axis=0)
    length = float(np.linalg.norm(mean))
    # Opposite embeddings could cancel; the zero vector then says "like nothing", which is what it is.
    unit: Floats = mean / np.float32(length) if length else mean
    return unit
