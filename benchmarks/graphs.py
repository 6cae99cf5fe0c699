"""What a graph of its own gains: a step of replies that speak together, by the graph for all sizes and by those of fixed sizes.

    python benchmarks/graphs.py [--quick] [--json]

In bfloat16, where the processor multiplies it. A step is one token of each of 1, 4 or 16 replies behind 64 others, each with a
blend of its own of five adapters: those of loras/ ("shipped"), or random ones of rank 16 on every linear layer ("wide"). Graphs
of fixed sizes are made twice, with the adapters as inputs and, as they are served, as constants. All take turns in every round;
a ratio is that of one round, and the median of the rounds is told with its quartiles. `megabytes` is what a graph added to the
process. The last line is one JSON object.
"""

import gc
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import numpy as np
from apparatus import machine
from apparatus.adapters import LORAS, publish_wide, read_stack
from apparatus.outcome import Row, flags, show
from apparatus.processes import resident_bytes
from apparatus.summary import spread

from emotional_ai_service.decoding.batch import BLOCK, Batch
from emotional_ai_service.decoding.llama import Checkpoint, Floats, read_shape
from emotional_ai_service.decoding.messages import Precision
from emotional_ai_service.decoding.openvino_graph import Case
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime
from emotional_ai_service.decoding.stack import Stack
from emotional_ai_training.models import (
    cache_dir,
    cpu_description,
    default_model_dir,
    model_digest,
    multiplies_bf16,
    pull,
)

REPLIES: Final = (1, 4, 16)
PAST: Final = 64
STEPS: Final = 8
"""Steps of a turn."""
WAYS: Final = ("all sizes", "fixed, inputs", "fixed, constants")


def main() -> None:
    """Measures and prints."""
    arguments = flags(__doc__)
    if not multiplies_bf16(cpu_description()):
        why = "this processor does not multiply bfloat16, so no graph has adapters as constants here"
        show({"machine": machine.description(), "left_out": why}, only_json=arguments.json)
        return
    cache = cache_dir(os.environ)
    pull(cache)
    model = default_model_dir(cache)
    shape = read_shape(model)
    runtime = OpenVinoRuntime(
        shape, Checkpoint(model, shape), precision=Precision.BFLOAT16, blocks=64, threads=os.cpu_count() or 1
    )
    with tempfile.TemporaryDirectory() as directory:
        publish_wide(model, model_digest(model, cache), Path(directory) / "loras", seed=1)
        stacks = {"wide": read_stack(Path(directory) / "loras", shape), "shipped": read_stack(LORAS, shape)}
    rows = [
        row
        for name, stacked in stacks.items()
        for replies in REPLIES
        for row in measured(runtime, name, stacked, replies, rounds=4 if arguments.quick else 12)
    ]
    result = {"machine": machine.description(), "dtype": runtime.dtype, "graphs": rows}
    show(result, only_json=arguments.json)


def measured(runtime: OpenVinoRuntime, name: str, stacked: Stack, replies: int, rounds: int) -> list[Row]:
    """A row for each way to compute the same steps."""
    runtime.forward(tokens_of(replies, stacked, past=0, count=PAST))
    batch = tokens_of(replies, stacked, past=PAST, count=1)
    logits: dict[str, Floats] = {}
    forwards: dict[str, Callable[[Batch], Floats]] = {}
    added: dict[str, int] = {}
    for way in WAYS:
        before = resident()
        forwards[way] = forward_of(runtime, Case(replies, stacked), way)
        logits[way] = forwards[way](batch)
        added[way] = resident() - before
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, forward in forwards.items():
            forward(batch)
            begun = perf_counter()
            for _ in range(STEPS):
                forward(batch)
            seconds[way].append((perf_counter() - begun) / STEPS)
    rows: list[Row] = []
    for way in WAYS:
        ratios = [own / other for own, other in zip(seconds[way], seconds["fixed, inputs"], strict=True)]
        rows.append(
            {
                "adapters": name,
                "replies": replies,
                "graph": way,
                "ms": round(1000 * median(seconds[way]), 2),
                "of": "fixed, inputs",
                **spread(ratios),
                "megabytes": added[way] >> 20,
                "largest difference": round(float(np.abs(logits[way] - logits["all sizes"]).max()), 4),
            }
        )
    return rows


def forward_of(runtime: OpenVinoRuntime, case: Case, way: str) -> Callable[[Batch], Floats]:
    """One way to compute batches of a case."""
    if way == "all sizes":
        return runtime._any.forward
    runtime._graph.fixes_adapters = way == "fixed, constants"
    return runtime._made_for(case).forward


def tokens_of(replies: int, stacked: Stack, *, past: int, count: int) -> Batch:
    """The next `count` tokens of each reply behind `past` others."""
    draw = np.random.default_rng(replies)
    each = PAST // BLOCK + 1
    begins = np.arange(0, count * replies + 1, count, dtype=np.int32)
    return Batch(
        tokens=draw.integers(0, 1000, count * replies).astype(np.int32),
        past=np.full(replies, past, np.int32),
        begins=begins,
        blocks=np.arange(each * replies, dtype=np.int32),
        block_begins=np.arange(0, each * replies + 1, each, dtype=np.int32),
        wanted=begins[1:] - 1,
        stack=stacked,
        weights=np.repeat(draw.random((replies, len(stacked.adapters)), np.float32), count, axis=0),
    )


def resident() -> int:
    """Bytes of memory this process needs."""
    gc.collect()
    return resident_bytes(os.getpid())


if __name__ == "__main__":
    main()
