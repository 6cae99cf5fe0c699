"""The Llama architecture as this decoder computes it: its numbers, its rotary frequencies, its weights.

    h = x + W_o attention(rope(W_q n), rope(W_k n), W_v n),  n = rms_norm(x)
    y = h + W_down(silu(W_gate m) * W_up m),                 m = rms_norm(h)

Grouped heads, tied or separate output embeddings, and the rope kinds "default", "linear" and "llama3".
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from transformers import LlamaConfig

from emotional_ai_training.models import NotAModel
from emotional_ai_training.models.checkpoint import weight_files

Floats = NDArray[np.float32]

MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate": ("mlp.gate_proj",),
    "up": ("mlp.up_proj",),
    "down": ("mlp.down_proj",),
}
"""Linear layers by the group whose adapters are multiplied at once: queries, keys and values read the same input and are
narrow. Gate and up read the same input too, but side by side their factors would be half zeros, and they are wide."""
GROUPS: Final = tuple(MODULES)


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """The numbers of one model."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    """Longest context in tokens."""
    norm_epsilon: float
    tied: bool
    """Whether the output embeddings are the input's."""
    inverse_frequencies: tuple[float, ...]
    """Radians per position of each of head_dim / 2 rotations."""

    def widths(self, module: str) -> tuple[int, int]:
        """Inputs and outputs of a linear layer of MODULES."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "self_attn.q_proj": (self.hidden, q),
            "self_attn.k_proj": (self.hidden, kv),
            "self_attn.v_proj": (self.hidden, kv),
            "self_attn.o_proj": (q, self.hidden),
            "mlp.gate_proj": (self.hidden, self.intermediate),
            "mlp.up_proj": (self.hidden, self.intermediate),
            "mlp.down_proj": (self.intermediate, self.hidden),
        }[module]

    def group_widths(self, group: str) -> tuple[int, tuple[int, ...]]:
        """Inputs of a group, and the outputs of each of its layers."""
        widths = [self.widths(module) for module in MODULES[group]]
        return widths[0][0], tuple(out for _, out in widths)


def read_shape(directory: Path) -> LlamaShape:
    """The numbers of a checkpoint. Raises NotAModel naming what this decoder does not compute."""
    config = LlamaConfig.from_pretrained(directory)
    for name, wanted in (("attention_bias", False), ("mlp_bias", False), ("hidden_act", "silu")):
        if getattr(config, name) != wanted:
            raise NotAModel(directory, f"{name} is {getattr(config, name)!r}, and this decoder computes {wanted!r}")
    head_dim = config.head_dim or config.hidden_size // config.num_attention_heads
    return LlamaShape(
        vocabulary=config.vocab_size,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads or config.num_attention_heads,
        head_dim=head_dim,
        context=config.max_position_embeddings,
        norm_epsilon=config.rms_norm_eps,
        tied=bool(config.tie_word_embeddings),
        inverse_frequencies=_inverse_frequencies(directory, dict(config.rope_parameters or {}), head_dim),
    )


def _inverse_frequencies(directory: Path, rope: dict[str, object], head_dim: int) -> tuple[float, ...]:
    """Rotary frequencies (Su et al. 2021, arXiv:2104.09864), scaled as the checkpoint's rope kind asks."""

    def number(name: str) -> float:
        value = rope.get(name)
        if not isinstance(value, int | float):
            raise NotAModel(directory, f"its rope parameters lack {name}")
        return float(value)

    plain = [number("rope_theta") ** (-2 * i / head_dim) for i in range(head_dim // 2)]
    match rope.get("rope_type", "default"):
        case "default":
            return tuple(plain)
        case "linear":
            return tuple(frequency / number("factor") for frequency in plain)
        case "llama3":
            return tuple(
                _llama3(
                    frequency,
                    factor=number("factor"),
                    low=number("low_freq_factor"),
                    high=number("high_freq_factor"),
                    original=number("original_max_position_embeddings"),
                )
                for frequency in plain
            )
        case other:
            raise NotAModel(directory, f"rope kind {other!r} is not computed here; 'default', 'linear', 'llama3' are")


def _llama3(frequency: float, *, factor: float, low: float, high: float, original: float) -> float:
    """Llama 3.1's scaling: long waves slowed by `factor`, short ones left, a smooth passage between (arXiv:2407.21783)."""
    turns = original * frequency / (2 * math.pi)
    share = min(max((turns - low) / (high - low), 0.0), 1.0)
    return frequency * (share + (1 - share) / factor)


class Checkpoint:
    """The tensors of a checkpoint directory in fp32, read one at a time."""

    def __init__(self, directory: Path, shape: LlamaShape) -> None:
        self._directory = directory
        self._shape = shape
        self._files: dict[str, Path] = {}
        for file in weight_files(directory):
            with safe_open(file, "pt") as opened:
                self._files.update(dict.fromkeys(opened.keys(), file))

    def embedding(self) -> Floats:
        """Input embeddings [vocabulary, hidden]."""
        return self._tensor("model.embed_tokens.weight")

    def head(self) -> Floats:
        """Output embeddings [vocabulary, hidden], of a model that has them apart from the input's."""
        return self._tensor("lm_head.weight")

    def final_norm(self) -> Floats:
        """Weights [hidden] of the last norm."""
        return self._tensor("model.norm.weight")

    def norms(self, layer: int) -> tuple[Floats, Floats]:
        """Weights [hidden] of the norms before attention and before the MLP."""
        at = f"model.layers.{layer}"
        return self._tensor(f"{at}.input_layernorm.weight"), self._tensor(f"{at}.post_attention_layernorm.weight")

    def groups(self, layer: int, groups: Iterable[str]) -> Floats:
        """The layers of groups that read the same input, one below the other: [sum of outputs, inputs]."""
        modules = [module for group in groups for module in MODULES[group]]
        return np.concatenate(
            [self._tensor(f"model.layers.{layer}.{module}.weight", *self._shape.widths(module)) for module in modules]
        )

    def _tensor(self, name: str, inputs: int = 0, outputs: int = 0) -> Floats:
        if name not in self._files:
            raise NotAModel(self._directory, f"its weights lack {name}")
        with safe_open(self._files[name], "pt") as opened:
            tensor: Floats = opened.get_tensor(name).to(torch.float32).numpy()
        if inputs and tensor.shape != (outputs, inputs):
            raise NotAModel(self._directory, f"{name} has shape {list(tensor.shape)}, not [{outputs}, {inputs}]")
        return tensor


def layers_of(shape: LlamaShape) -> Iterator[tuple[int, str]]:
    """Every layer and group, in order of computation."""
    return ((layer, group) for layer in range(shape.layers) for group in GROUPS)


def parameters(shape: LlamaShape) -> int:
    """Numbers in the matrices of a model."""
    widths = [shape.widths(module) for modules in MODULES.values() for module in modules]
    return shape.layers * sum(i * o for i, o in widths) + (1 if shape.tied else 2) * shape.vocabulary * shape.hidden
