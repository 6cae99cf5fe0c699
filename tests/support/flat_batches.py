"""Sequences computed piece by piece over one runtime, as a scheduler would lay them out; for tests of logits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.batch import BLOCK, Batch, Runtime
from emotional_ai_service.decoding.stack import Stack

Rows = NDArray[np.float32]


@dataclass
class Lane:
    """One sequence: its blocks, and how many of its tokens are computed."""

    blocks: list[int]
    past: int = 0


@dataclass
class Piece:
    """Tokens to compute next, under weights [adapters] or [layers, adapters] in the order of the stack."""

    lane: Lane
    tokens: Sequence[int]
    weights: Rows = field(default_factory=lambda: np.zeros(0, np.float32))


def lanes(count: int, positions: int = 256) -> list[Lane]:
    """Lanes with room for `positions` tokens each; their blocks lie scattered."""
    each = -(-positions // BLOCK)
    order = np.random.default_rng(0).permutation(count * each)
    return [Lane([int(block) for block in order[lane::count]]) for lane in range(count)]


def compute(runtime: Runtime, stacked: Stack, pieces: Sequence[Piece]) -> Rows:
    """Logits [all tokens of the pieces, vocabulary]; the lanes move on."""
    counts = [len(piece.tokens) for piece in pieces]
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    tables = [
        piece.lane.blocks[: -(-(piece.lane.past + count) // BLOCK)] for piece, count in zip(pieces, counts, strict=True)
    ]
    batch = Batch(
        tokens=np.concatenate([piece.tokens for piece in pieces]).astype(np.int32),
        past=np.array([piece.lane.past for piece in pieces], np.int32),
        begins=begins,
        blocks=np.concatenate(tables).astype(np.int32),
        block_begins=np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int32),
        wanted=np.arange(begins[-1], dtype=np.int32),
        stack=stacked,
        weights=np.concatenate([_per_token(piece) for piece in pieces], axis=-2).astype(np.float32),
    )
    for piece, count in zip(pieces, counts, strict=True):
        piece.lane.past += count
    return runtime.forward(batch)


def _per_token(piece: Piece) -> Rows:
    """[tokens, adapters], or [layers, tokens, adapters]."""
    weights = np.asarray(piece.weights, np.float32)
    return np.repeat(weights[..., None, :], len(piece.tokens), axis=-2)


def named(stacked: Stack, weights: dict[str, float]) -> Rows:
    """Weights by name in the order of the stack."""
    order: Sequence[LoadedAdapter] = stacked.adapters
    return np.array([weights.get(adapter.name, 0.0) for adapter in order], np.float32)
