"""What a blend must compute, the slow way: every adapter added into the weights of a transformers model."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from transformers import LlamaForCausalLM

Weights = float | Sequence[float]


def merged(model: LlamaForCausalLM, loras_dir: Path, blend: Mapping[str, Weights]) -> LlamaForCausalLM:
    """A copy of `model` with the blend, one weight or one per layer by name, added to its weights in fp64."""
    copy = deepcopy(model)
    for name, weight in blend.items():
        directory = loras_dir / name
        config = json.loads((directory / "adapter_config.json").read_text())
        scale = json.loads((directory / "manifest.json").read_text())["scale"] * config["lora_alpha"] / config["r"]
        tensors = load_file(directory / "adapter_model.safetensors")
        for key in [key for key in tensors if ".lora_A." in key]:
            module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            layer = int(module.split(".")[2])
            strength = weight if isinstance(weight, int | float) else weight[layer]
            change = tensors[key.replace("lora_A", "lora_B")].astype(np.float64) @ tensors[key].astype(np.float64)
            linear = copy.get_submodule(module)
            with torch.no_grad():
                linear.weight.copy_((linear.weight.double() + strength * scale * torch.from_numpy(change)).float())
    return copy


@torch.inference_mode()
def logits(model: LlamaForCausalLM, tokens: Sequence[int]) -> NDArray[np.float32]:
    """Logits [tokens, vocabulary] behind every token."""
    found: NDArray[np.float32] = model(torch.tensor([list(tokens)])).logits[0].float().numpy()
    return found
