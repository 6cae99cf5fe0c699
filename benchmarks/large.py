"""A model of Llama 3.2 3B's shape, random weights: does it load, blend and decode within the memory computed for it?

    python benchmarks/large.py [--quick] [--json]

Writes a bf16 checkpoint of 6.4 GB (with --quick one of a quarter of the layers) under the cache directory, loads it in int8 on
the OpenVINO runtime in a process of its own, with three adapters of rank 8 on attention, and decodes four replies of four
blends. The last line is one JSON object.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from apparatus.outcome import Row, flags, show
from safetensors.torch import save_file
from transformers import LlamaConfig

from emotional_ai_service.decoding import Precision, RuntimeKind
from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.batch import Batch
from emotional_ai_service.decoding.llama import GROUPS, Checkpoint, LlamaShape, layers_of, read_shape
from emotional_ai_service.decoding.memory import needed
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime
from emotional_ai_service.decoding.stack import stack
from emotional_ai_training.models import cache_dir

LAYERS: Final = 28
BLOCKS: Final = 32
RANK: Final = 8
REPLIES: Final = 4
TOKENS: Final = 8


def config(layers: int) -> LlamaConfig:
    """Llama 3.2 3B's configuration with `layers` layers."""
    return LlamaConfig(
        vocab_size=128256,
        hidden_size=3072,
        intermediate_size=8192,
        num_hidden_layers=layers,
        num_attention_heads=24,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=131072,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    )


def write(directory: Path, layers: int) -> None:
    """The checkpoint, one file a layer, unless it is there."""
    if (directory / "config.json").is_file():
        return
    directory.mkdir(parents=True, exist_ok=True)
    chosen = config(layers)
    hidden, inner, keys = chosen.hidden_size, chosen.intermediate_size, 8 * 128
    shapes = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    draw = torch.Generator().manual_seed(0)
    places: dict[str, str] = {}
    norm = torch.ones(hidden, dtype=torch.bfloat16)
    for layer in range(layers):
        at = f"model.layers.{layer}"
        tensors = {f"{at}.{name}.weight": _random(shape, draw) for name, shape in shapes.items()}
        tensors |= {f"{at}.{name}.weight": norm.clone() for name in ("input_layernorm", "post_attention_layernorm")}
        _save(directory / f"layer-{layer:02}.safetensors", tensors, places)
    ends = {"model.embed_tokens.weight": _random((chosen.vocab_size, hidden), draw), "model.norm.weight": norm.clone()}
    _save(directory / "ends.safetensors", ends, places)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    chosen.save_pretrained(directory)


def _random(shape: tuple[int, int], draw: torch.Generator) -> torch.Tensor:
    return (torch.rand(shape, generator=draw) - 0.5).mul_(0.07).to(torch.bfloat16)


def _save(path: Path, tensors: dict[str, torch.Tensor], places: dict[str, str]) -> None:
    save_file(tensors, path)
    places.update(dict.fromkeys(tensors, path.name))


def adapter(shape: LlamaShape, seed: int) -> LoadedAdapter:
    """Random factors on attention."""
    draw = np.random.default_rng(seed)
    rows = {group: {"qkv": 3 * RANK, "o": RANK}.get(group, 0) for group in GROUPS}
    down, up = {}, {}
    for layer, group in layers_of(shape):
        inputs, outputs = shape.group_widths(group)
        down[layer, group] = draw.normal(0, 0.02, (rows[group], inputs)).astype(np.float32)
        up[layer, group] = draw.normal(0, 0.02, (rows[group], sum(outputs))).astype(np.float32)
    return LoadedAdapter(f"random{seed}", "", rows, down, up)


def measure(directory: Path) -> Row:
    """Loads and decodes; in a process of its own, so that its peak is the model's."""
    shape = read_shape(directory)
    weights = Checkpoint(directory, shape)
    began = time.monotonic()
    runtime = OpenVinoRuntime(
        shape, weights, precision=Precision.INT8, blocks=BLOCKS, threads=len(os.sched_getaffinity(0))
    )
    loaded = time.monotonic() - began
    adapters = [adapter(shape, seed) for seed in range(3)]
    stacked = stack(adapters, shape)
    blends = np.random.default_rng(0).normal(0, 0.5, (REPLIES, len(adapters))).astype(np.float32)
    rows = np.arange(REPLIES, dtype=np.int32)
    times, logits = [], np.zeros((REPLIES, 1), np.float32)
    for position in range(TOKENS):
        began = time.monotonic()
        logits = runtime.forward(
            Batch(
                tokens=np.full(REPLIES, 7, np.int32),
                past=np.full(REPLIES, position, np.int32),
                begins=np.arange(REPLIES + 1, dtype=np.int32),
                blocks=rows,
                block_begins=np.arange(REPLIES + 1, dtype=np.int32),
                wanted=rows,
                stack=stacked,
                weights=blends,
            )
        )
        times.append(time.monotonic() - began)
    held = sum(factor.nbytes for one in adapters for half in (one.down, one.up) for factor in half.values())
    computed = needed(shape, RuntimeKind.OPENVINO, Precision.INT8, BLOCKS) + 2 * held
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return {
        "layers": shape.layers,
        "load_seconds": round(loaded, 1),
        "step_seconds": round(float(np.median(times[1:])), 2),
        "tokens_per_second": round(REPLIES / float(np.median(times[1:])), 1),
        "blends_differ": bool(np.ptp(logits, axis=0).max() > 0.01 and np.isfinite(logits).all()),
        "computed_gb": round(computed / 1e9, 2),
        "peak_gb": round(peak / 1e9, 2),
        "within": peak <= computed,
    }


def main() -> None:
    """Writes the checkpoint, measures in a child, prints."""
    if len(sys.argv) == 3 and sys.argv[1] == "--measure":
        print(json.dumps(measure(Path(sys.argv[2]))))
        return
    asked = flags(__doc__)
    layers = LAYERS // 4 if asked.quick else LAYERS
    directory = cache_dir(os.environ) / "models" / f"random-llama-3.2-3b-{layers}-layers"
    write(directory, layers)
    child = [sys.executable, __file__, "--measure", str(directory)]
    done = subprocess.run(child, check=True, capture_output=True, text=True)
    show({"int8": json.loads(done.stdout.splitlines()[-1])}, only_json=asked.json)


if __name__ == "__main__":
    main()
