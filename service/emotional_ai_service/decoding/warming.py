"""Computes the usual shapes once at start, since a runtime takes tens of milliseconds longer for one it has not seen."""

import numpy as np

from emotional_ai_service.decoding.batch import BLOCK, FINE, Batch, Runtime
from emotional_ai_service.decoding.llama import LlamaShape
from emotional_ai_service.decoding.scheduler import pieces_in
from emotional_ai_service.decoding.stack import Stack, stack


def warm(runtime: Runtime, shape: LlamaShape, active: int, blocks: int) -> None:
    """Decoding of 1..`active` replies as far as each number is a shape of its own, and the two lengths in which prompts are
    read, without adapters.

    Writes into every block it needs, so it comes before anything is kept there.
    """
    empty = stack((), shape)
    for count in range(1, min(active, blocks, FINE) + 1):
        runtime.forward(_decoding(count, empty))
    for length in pieces_in(runtime.dtype):
        if length <= blocks * BLOCK:
            runtime.forward(_reading(length, empty))


def _decoding(count: int, empty: Stack) -> Batch:
    """One token of each of `count` sequences."""
    each = np.arange(count, dtype=np.int32)
    return Batch(
        tokens=np.zeros(count, np.int32),
        past=np.zeros(count, np.int32),
        begins=np.arange(count + 1, dtype=np.int32),
        blocks=each,
        block_begins=np.arange(count + 1, dtype=np.int32),
        wanted=each,
        stack=empty,
        weights=np.zeros((count, 0), np.float32),
    )


def _reading(length: int, empty: Stack) -> Batch:
    """`length` tokens of one prompt."""
    blocks = -(-length // BLOCK)
    return Batch(
        tokens=np.zeros(length, np.int32),
        past=np.zeros(1, np.int32),
        begins=np.array([0, length], np.int32),
        blocks=np.arange(blocks, dtype=np.int32),
        block_begins=np.array([0, blocks], np.int32),
        wanted=np.array([length - 1], np.int32),
        stack=empty,
        weights=np.zeros((length, 0), np.float32),
    )
