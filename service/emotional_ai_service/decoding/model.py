"""What the local decoder loads, and how much of the machine it may take. Plain values: they cross a process boundary."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from emotional_ai_service.decoding.errors import DecoderUnsuited
from emotional_ai_service.decoding.messages import Precision

BLOCK: Final = 32
"""Positions of one block of the key-value cache."""
LEAST_POSITIONS: Final = 256
"""Positions below which a cache cannot hold a reply worth the name."""


class RuntimeKind(Enum):
    """What computes the model."""

    OPENVINO = "openvino"
    """A CPU, several replies at once."""
    TORCH = "torch"
    """A CPU, each reply by itself: the reference, whose replies repeat bit for bit."""
    CUDA = "cuda"
    """A GPU, by torch."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What the decoder loads. Raises ValueError outside the ranges."""

    directory: Path
    """A Llama-architecture checkpoint with a chat template."""
    cache: Path
    """Where the digest of the weights is remembered."""
    loras_dir: Path = Path("loras")
    """Adapters that blends may name; looked at again with every request."""
    runtime: RuntimeKind = RuntimeKind.OPENVINO
    precision: Precision = Precision.NATIVE
    active: int = 16
    """Replies spoken together, at least 1; others wait."""
    kv_bytes: int = 1 << 30
    """Memory for the key-value cache; taken from the system as it fills."""

    def __post_init__(self) -> None:
        if self.active < 1 or self.kv_bytes < 1:
            raise ValueError(f"active and kv_bytes must be at least 1, got {self.active} and {self.kv_bytes}")

    def blocks(self, width: int, precision: Precision, context: int) -> int:
        """Blocks of a cache of `width` numbers per position, keys and values apart; never more than all replies can use.

        Raises DecoderUnsuited where that is too few for one reply.
        """
        size = 2 * BLOCK * width * (2 if precision is Precision.BFLOAT16 else 4)
        blocks = min(self.kv_bytes // size, self.active * -(-context // BLOCK))
        least = -(-min(LEAST_POSITIONS, context) // BLOCK)
        if blocks < least:
            raise DecoderUnsuited(
                f"a key-value cache of {self.kv_bytes >> 20} MB holds {blocks * BLOCK} positions of this model, and "
                f"{least * BLOCK} are the least; give it {-(-least * size >> 20)} MB or more with --kv-memory"
            )
        return blocks
