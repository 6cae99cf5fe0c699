"""Adapters of a few numbers, made as PEFT writes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from emotional_ai_training.adapters import Manifest, publish

RANK = 2
DIGEST = "0123456789abcdef" * 4


def peft_dir(directory: Path, fill: float = 0.5) -> Path:
    """A directory as PEFT writes it, every number of which is `fill`."""
    directory.mkdir(parents=True, exist_ok=True)
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {
        f"{layer}.lora_A.weight": np.full((RANK, 4), fill, np.float32),
        f"{layer}.lora_B.weight": np.full((4, RANK), fill, np.float32),
    }
    save_file(tensors, directory / "adapter_model.safetensors")
    (directory / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": RANK, "lora_alpha": 4}))
    return directory


def manifest(name: str = "balanced", **changes: Any) -> Manifest:
    """A manifest that fits what `peft_dir` writes."""
    given: dict[str, Any] = {
        "name": name,
        "base_model": "tiny",
        "base_model_digest": DIGEST,
        "prototype": (0.5, 0.6, 0.3, 0.5),
        "scale": 2.0,
        "scale_calibrated": True,
        "rank": RANK,
        "recipe": "state_adapters",
        "seed": 7,
        "learning_rate": 1e-3,
        "steps": 12,
        "data_digest": DIGEST,
        "metrics": {"loss": 1.25},
    }
    return Manifest(**(given | changes))


def published(loras_dir: Path, name: str, fill: float = 0.5, **changes: Any) -> Manifest:
    """An adapter put into `loras_dir`."""
    return publish(peft_dir(loras_dir.parent / f"peft-{name}", fill), manifest(name, **changes), loras_dir)
