"""What a runtime computes in one call: tokens of several sequences, laid one after the other.

Sequence s owns tokens begins[s] to begins[s + 1]; `past[s]` of its tokens were computed before, and their keys and values
lie in the blocks block_begins[s] to block_begins[s + 1], BLOCK positions each, where those of these tokens go too.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.llama import Floats
from emotional_ai_service.decoding.model import BLOCK
from emotional_ai_service.decoding.stack import Stack

__all__ = ["BLOCK", "FINE", "Batch", "Runtime", "Whole"]

FINE: Final = 16
"""Tokens up to which every length of a batch is a shape of its own, since so many replies speak together."""

Whole = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Batch:
    """T tokens of S sequences."""

    tokens: Whole
    """[T]"""
    past: Whole
    """[S]"""
    begins: Whole
    """[S + 1]"""
    blocks: Whole
    """The blocks of all sequences."""
    block_begins: Whole
    """[S + 1]"""
    wanted: Whole
    """Tokens of the batch whose logits are asked for."""
    stack: Stack
    weights: Floats
    """Weight of each adapter of the stack for each token, [T, adapters], or for each layer too, [layers, T, adapters]."""

    def padded(self, length: int, block: int) -> "Batch":
        """The same with `length` tokens in all: last sequences of zeros, none of them wanted, that write into `block`."""
        more = length - len(self.tokens)
        deep = [(0, 0)] * (self.weights.ndim - 2)
        ends = np.append(np.arange(len(self.tokens) + BLOCK, length, BLOCK, dtype=np.int32), np.int32(length))
        last = len(self.blocks) + 1
        return Batch(
            tokens=np.pad(self.tokens, (0, more)),
            past=np.pad(self.past, (0, len(ends))),
            begins=np.append(self.begins, ends),
            blocks=np.append(self.blocks, np.full(len(ends), block, np.int32)),
            block_begins=np.append(self.block_begins, np.arange(last, last + len(ends), dtype=np.int32)),
            wanted=self.wanted,
            stack=self.stack,
            weights=np.pad(self.weights, [*deep, (0, more), (0, 0)]),
        )

    def filled(self, count: int, block: int) -> "Batch":
        """The same, of one token a sequence, filled up to `count` sequences; those added are wanted, and write into `block`."""
        more = count - len(self.tokens)
        if not more:
            return self
        deep = [(0, 0)] * (self.weights.ndim - 2)
        last = len(self.blocks)
        return Batch(
            tokens=np.pad(self.tokens, (0, more)),
            past=np.pad(self.past, (0, more)),
            begins=np.arange(count + 1, dtype=np.int32),
            blocks=np.concatenate([self.blocks, np.full(more, block, np.int32)]),
            block_begins=np.concatenate([self.block_begins, np.arange(last + 1, last + more + 1, dtype=np.int32)]),
            wanted=np.arange(count, dtype=np.int32),
            stack=self.stack,
            weights=np.pad(self.weights, [*deep, (0, more), (0, 0)]),
        )

    def positions(self) -> NDArray[np.int64]:
        """[T]: where in its sequence each token stands."""
        lengths = np.diff(self.begins)
        return (np.arange(len(self.tokens)) - np.repeat(self.begins[:-1] - self.past, lengths)).astype(np.int64)


class Runtime(Protocol):
    """Computes a Llama model with stacked adapters over a key-value cache of blocks."""

    @property
    def dtype(self) -> str:
        """Number format of the computation."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the bits of a sequence's logits do not depend on what else is in the batch."""
        ...

    def forward(self, batch: Batch) -> Floats:
        """Logits [wanted, vocabulary] in fp32; keys and values of all tokens join the cache."""
        ...

    def forget(self, adapter: LoadedAdapter) -> None:
        """Lets go of what was made of an adapter that no reply will speak with."""
        ...
