"""A LoRA adapter: settings, tensors, and the layers of a model it is put on.

y = W x + (alpha / r) B A x (Hu et al. 2021). All tensors of an adapter are views into one flat fp32 vector, so that the
optimizer, a copy and a norm are one operation each.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotional_ai_training.tinker_server.errors import InvalidRequest

ALPHA: Final = 32.0
MAX_RANK: Final = 128
ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP: Final = ("gate_proj", "up_proj", "down_proj")
UNEMBED: Final = ("lm_head",)


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Rank and the layers trained; InvalidRequest for a rank that is no power of two in 1..128, or no layer at all."""

    rank: int
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= MAX_RANK or self.rank & (self.rank - 1):
            raise InvalidRequest(f"LoRA rank must be a power of two from 1 to {MAX_RANK}, got {self.rank}")
        if not self.targets:
            raise InvalidRequest("nothing to train: one of train_attn, train_mlp and train_unembed must be true")

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the layers trained."""
        return (
            (ATTENTION if self.train_attn else ())
            + (MLP if self.train_mlp else ())
            + (UNEMBED if self.train_unembed else ())
        )

    @property
    def scale(self) -> float:
        """alpha / r."""
        return ALPHA / self.rank


@dataclass(frozen=True, slots=True)
class Pair:
    """One layer's factors: `a` [rank, in], `b` [out, rank], fp32."""

    a: Tensor
    b: Tensor


class LoraLinear(nn.Module):
    """A frozen linear layer with a place for one pair of factors."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.pair: Pair | None = None
        self.scale = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out], in the base layer's number format."""
        y: Tensor = self.base(x)
        if self.pair is None:
            return y
        low = functional.linear(x, self.pair.a.to(x.dtype))
        return y + functional.linear(low, self.pair.b.to(x.dtype)) * self.scale


class Adapter:
    """The tensors of one adapter over a model's layers; zero B, so a fresh one changes nothing."""

    def __init__(self, settings: LoraSettings, layers: Mapping[str, LoraLinear], device: torch.device) -> None:
        self.settings = settings
        self._shapes = {
            name: (layer.base.in_features, layer.base.out_features)
            for name, layer in layers.items()
            if name.rpartition(".")[2] in settings.targets
        }
        sizes = sum(settings.rank * (inside + outside) for inside, outside in self._shapes.values())
        self.flat = torch.zeros(sizes, dtype=torch.float32, device=device)
        self.pairs = dict(self._views(self.flat))

    def initialise(self, seed: int) -> None:
        """A as Kaiming-uniform with slope sqrt(5), which is U(-1/sqrt(in), 1/sqrt(in)); B zero. Same seed, same values."""
        draw = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for pair in self.pairs.values():
                bound = 1 / math.sqrt(pair.a.shape[1])
                pair.a.copy_((torch.rand(pair.a.shape, generator=draw) * 2 - 1) * bound)
                pair.b.zero_()

    def trainable(self) -> Tensor:
        """Makes the tensors leaves that gather gradient in one flat vector, which is returned: fp32, zero at first."""
        gradient = torch.zeros_like(self.flat)
        for pair, slot in zip(self.pairs.values(), dict(self._views(gradient)).values(), strict=True):
            for tensor, place in ((pair.a, slot.a), (pair.b, slot.b)):
                tensor.requires_grad_(True)
                tensor.grad = place
        return gradient

    def named(self) -> dict[str, Tensor]:
        """Copies on the CPU under the names PEFT reads."""
        return {
            f"base_model.model.{name}.lora_{side}.weight": tensor.detach().cpu().clone()
            for name, pair in self.pairs.items()
            for side, tensor in (("A", pair.a), ("B", pair.b))
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes the values of `named()`; InvalidRequest where they are another adapter's."""
        own = self.named()
        if {name: tensor.shape for name, tensor in own.items()} != {
            name: tensor.shape for name, tensor in tensors.items()
        }:
            raise InvalidRequest("the checkpoint's tensors do not fit this model and these LoRA settings")
        with torch.no_grad():
            for name, pair in self.pairs.items():
                pair.a.copy_(tensors[f"base_model.model.{name}.lora_A.weight"])
                pair.b.copy_(tensors[f"base_model.model.{name}.lora_B.weight"])

    def _views(self, flat: Tensor) -> Iterator[tuple[str, Pair]]:
        start, rank = 0, self.settings.rank
        for name, (inside, outside) in self._shapes.items():
            middle, end = start + rank * inside, start + rank * (inside + outside)
            yield name, Pair(flat[start:middle].view(rank, inside), flat[middle:end].view(outside, rank))
            start = end


def install(model: nn.Module) -> dict[str, LoraLinear]:
    """Wraps every layer an adapter may train, in place; returns the wrappers by name, in the model's order."""
    names = {*ATTENTION, *MLP, *UNEMBED}
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in names
    }
    wrapped = {}
    for name, module in found.items():
        parent, _, leaf = name.rpartition(".")
        wrapped[name] = LoraLinear(module)
        setattr(model.get_submodule(parent), leaf, wrapped[name])
    return wrapped
