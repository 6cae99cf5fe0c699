"""Llama models and adapters of random numbers, small enough to compare every logit with a merged model's."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from flat_batches import Rows
from merging import Weights, logits, merged
from safetensors.numpy import save_file
from tiny_adapters import manifest
from transformers import LlamaConfig, LlamaForCausalLM

from emotional_ai_service.decoding.adapters import LoadedAdapter, load_adapter
from emotional_ai_service.decoding.llama import MODULES, Checkpoint, LlamaShape, read_shape
from emotional_ai_service.decoding.stack import Stack, stack
from emotional_ai_training.adapters import load_manifest, publish

LARGEST_ERROR = 1e-3
BLOCKS = 64
"""Of the caches of runtimes."""
LAYERS = 3
ADAPTERS = {"thrilled": (2, 6), "calm": (8, 16), "afraid": (5, 5)}
"""Rank and alpha by name; the first adapts every linear layer, the others some."""
SOME = {"thrilled": MODULES, "calm": ("qkv", "o"), "afraid": ("down",)}
SHAPES = {
    "plain": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "tie_word_embeddings": False},
    "llama-3.2": {
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
        "tie_word_embeddings": True,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "rms_norm_eps": 1e-5,
    },
    "sixteen-bit": {"kept": torch.bfloat16},
    "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
}
"""Configurations; the second is that of Llama 3.2 in all but size."""


def write_model(directory: Path, kept: torch.dtype = torch.float32, **numbers: object) -> LlamaForCausalLM:
    """A random model whose weights are as a checkpoint of the format `kept` holds them."""
    torch.manual_seed(1)
    config = LlamaConfig(
        **{
            "vocab_size": 150,
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.15,
            **numbers,
        }
    )
    model = LlamaForCausalLM(config).float()
    if kept is torch.bfloat16:
        for parameter in model.parameters():
            parameter.data = parameter.data.to(kept).float()
    model.save_pretrained(directory)
    return model


def write_adapter(loras: Path, name: str, shape: LlamaShape) -> None:
    """Random factors whose effect on the logits is of the logits' own size."""
    rank, alpha = ADAPTERS[name]
    random = np.random.default_rng(sum(map(ord, name)))
    modules = [module for group in SOME[name] for module in MODULES[group]]
    tensors = {}
    for layer, module in itertools.product(range(shape.layers), modules):
        inputs, outputs = shape.widths(module)
        at = f"base_model.model.model.layers.{layer}.{module}"
        tensors[f"{at}.lora_A.weight"] = random.normal(0, 0.15, (rank, inputs)).astype(np.float32)
        tensors[f"{at}.lora_B.weight"] = random.normal(0, 0.15, (outputs, rank)).astype(np.float32)
    source = loras.parent / f"peft-{name}"
    source.mkdir()
    save_file(tensors, source / "adapter_model.safetensors")
    (source / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": alpha}))
    publish(source, manifest(name, rank=rank, scale=0.75), loras)


@dataclass(frozen=True)
class Published:
    """A model of one of SHAPES and ADAPTERS for it, on the disk and read."""

    model: LlamaForCausalLM
    shape: LlamaShape
    weights: Checkpoint
    loras: Path
    adapters: list[LoadedAdapter]

    def stacked(self, *names: str) -> Stack:
        """Those of these names, or all."""
        return stack([one for one in self.adapters if one.name in (names or ADAPTERS)], self.shape)

    def logits(self, blend: Mapping[str, Weights], tokens: list[int]) -> Rows:
        """By the model into which the blend was merged."""
        return logits(merged(self.model, self.loras, blend), tokens)


def published(directory: Path, kind: str) -> Published:
    """Writes a model of `kind` and its adapters into the directory."""
    model = write_model(directory / "model", **SHAPES[kind])
    shape = read_shape(directory / "model")
    loras = directory / "loras"
    for name in ADAPTERS:
        write_adapter(loras, name, shape)
    adapters = [load_adapter(loras / name, load_manifest(loras / name), shape) for name in ADAPTERS]
    return Published(model, shape, Checkpoint(directory / "model", shape), loras, adapters)


def some_tokens(count: int, seed: int = 0) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(0, 150, count)]


def error(one: Rows, other: Rows) -> float:
    return float(np.abs(one - other).max())
