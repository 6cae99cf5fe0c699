"""How much memory a model takes in a runtime, so that one that does not fit is refused before the system ends the process.

OpenVINO keeps the constants of the graph beside the form it computes with, so matrices count twice there; in int8 the
embeddings, which are looked up as well as multiplied, are held in fp32 besides. Measured by benchmarks/large.py.
"""

from pathlib import Path
from typing import Final

from emotional_ai_service.decoding.errors import DecoderUnsuited
from emotional_ai_service.decoding.llama import LlamaShape, parameters
from emotional_ai_service.decoding.messages import Precision
from emotional_ai_service.decoding.model import BLOCK, RuntimeKind

PROCESS: Final = 450 << 20
"""Bytes of the interpreter, its libraries and what a step computes with."""
LARGEST_BESIDE: Final = 3 << 29
"""Bytes that graphs of fixed sizes may take, all together."""
_SIZES: Final = {Precision.FLOAT32: 4, Precision.BFLOAT16: 2, Precision.INT8: 1}


def needed(shape: LlamaShape, runtime: RuntimeKind, precision: Precision, blocks: int) -> int:
    """Bytes of a process that has loaded the model and filled `blocks` blocks of cache; adapters come on top."""
    count, size = parameters(shape), _SIZES[precision]
    entry = 2 if precision is Precision.BFLOAT16 else 4
    cached = 2 * blocks * BLOCK * shape.layers * shape.kv_heads * shape.head_dim * entry
    if runtime is not RuntimeKind.OPENVINO:
        return PROCESS + cached + count * size
    embeddings = 4 * shape.vocabulary * shape.hidden if precision is Precision.INT8 else 0
    constants = count if precision is Precision.INT8 else 4 * count
    return PROCESS + cached + constants + count * size + embeddings


def graphs_beside(shape: LlamaShape, precision: Precision, free: int) -> int:
    """How many graphs of fixed sizes may be made beside the one for all sizes, where `free` bytes are left beside that.

    Each packs the matrices anew, and in bfloat16 keeps them beside that with its adapters. What is saved is the same for every
    model, so a large one does without.
    """
    # With five adapters of rank 16 on all layers: benchmarks/graphs.py.
    fifths = 13 if precision is Precision.BFLOAT16 else 7
    each = parameters(shape) * _SIZES[precision] * fifths // 5
    return max(0, min(free // 4, LARGEST_BESIDE) // each)


def available() -> int:
    """Bytes the system could give to a process without swapping."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    raise RuntimeError("/proc/meminfo does not say what is available")


def check_fits(name: str, wanted: int, there: int) -> None:
    """Raises DecoderUnsuited where `wanted` bytes are more than `there` are."""
    if wanted > there:
        raise DecoderUnsuited(
            f"{name} takes about {wanted / 1e9:.1f} GB as asked, and {there / 1e9:.1f} GB are available; "
            "choose --precision int8, less --kv-memory, or a smaller model"
        )
