"""Adapters to blend: those of loras/, and five of rank 16 on all seven linear layers, random, published as trained ones are."""

import json
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import save_file

from emotional_ai_service.decoding.adapters import load_adapter
from emotional_ai_service.decoding.llama import MODULES, LlamaShape, read_shape
from emotional_ai_service.decoding.stack import Stack, stack
from emotional_ai_training.adapters import Manifest, Registry, publish

LORAS: Final = Path(__file__).parents[2] / "loras"
RANK: Final = 16
ALPHA: Final = 32
COUNT: Final = 5
NAMES: Final = tuple(f"wide_{number}" for number in range(COUNT))


def read_stack(loras_dir: Path, shape: LlamaShape) -> Stack:
    """The stack of all adapters in a directory."""
    listed = Registry(loras_dir).list().adapters
    return stack([load_adapter(loras_dir / manifest.name, manifest, shape) for manifest in listed], shape)


def publish_wide(model: Path, model_digest: str, loras_dir: Path, *, seed: int) -> tuple[Path, ...]:
    """Publishes all of them; directories in the order of names."""
    return tuple(
        publish_one(model, model_digest, loras_dir, name, seed=seed + number) for number, name in enumerate(NAMES)
    )


def publish_one(model: Path, model_digest: str, loras_dir: Path, name: str, *, seed: int) -> Path:
    """Publishes one, over what had its name."""
    shape = read_shape(model)
    draw = np.random.default_rng(seed)
    tensors = {}
    for layer in range(shape.layers):
        for module in (one for modules in MODULES.values() for one in modules):
            inputs, outputs = shape.widths(module)
            at = f"base_model.model.model.layers.{layer}.{module}"
            tensors[f"{at}.lora_A.weight"] = _normal(draw, (RANK, inputs), inputs**-0.5)
            tensors[f"{at}.lora_B.weight"] = _normal(draw, (outputs, RANK), 0.01)
    written = loras_dir.parent / f"peft-{name}"
    written.mkdir(parents=True, exist_ok=True)
    save_file(tensors, written / "adapter_model.safetensors", {"format": "pt"})
    modules = sorted(one.rpartition(".")[2] for modules in MODULES.values() for one in modules)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model.name,
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
        "target_modules": modules,
    }
    (written / "adapter_config.json").write_text(json.dumps(config))
    manifest = Manifest(
        name=name,
        base_model=model.name,
        base_model_digest=model_digest,
        prototype=(0.5, 0.5, 0.5, 0.5),
        scale=1.0,
        scale_calibrated=False,
        rank=RANK,
        recipe="random",
        seed=seed,
        learning_rate=1e-3,
        steps=0,
        data_digest="0" * 64,
        metrics={},
    )
    publish(written, manifest, loras_dir)
    return loras_dir / name


def _normal(draw: np.random.Generator, size: tuple[int, int], deviation: float) -> np.ndarray:
    return (draw.standard_normal(size) * deviation).astype(np.float32)
