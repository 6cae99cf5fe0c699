"""Adapters in memory: LoRA factors ready to be stacked, with the strength of each folded in once.

    y = W x + sum_i w_i s_i (alpha_i / r_i) B_i A_i x  =  W x + B ((A x) * w)

`down` holds A_i; `up` holds s_i (alpha_i / r_i) B_i transposed, s_i the calibrated scale of its manifest; w stays outside.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from emotional_ai_service.decoding.llama import GROUPS, MODULES, Floats, LlamaShape
from emotional_ai_training.adapters import CONFIG, WEIGHTS, AdapterDamaged, Manifest, check_config, place_of

_loadings: Final = count()
_KEY: Final = re.compile(r"base_model\.model\.model\.layers\.(\d{1,6})\.(.+)\.lora_([AB])\.weight")


@dataclass(frozen=True, slots=True, eq=False)
class LoadedAdapter:
    """One adapter, one content. Two are the same only if they are the same object."""

    name: str
    digest: str
    """SHA-256 of its content, in hex."""
    rows: Mapping[str, int]
    """Rank rows it takes in the stack of each group: rank times the group's adapted layers; the same in every layer."""
    down: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, inputs]."""
    up: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, outputs], zero outside the outputs of the row's own linear layer."""
    loading: int = field(default_factory=_loadings.__next__, init=False)
    """Which adapter of this process it is: a key for what is made of it, that keeps nothing of it in memory. The digest would
    not do: it leaves out the scale."""
    place: tuple[int, str, str, int] = field(init=False)
    """Where it stands in the order in which adapters are summed, as a key to sort by."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", (*place_of(self.name), self.digest, self.loading))

    @property
    def numbers(self) -> int:
        """How many numbers its factors are."""
        return sum(factor.size for factors in (self.down, self.up) for factor in factors.values())


def in_order(adapters: Iterable[LoadedAdapter]) -> tuple[LoadedAdapter, ...]:
    """The order in which adapters are summed; two contents of one name may be among them."""
    return tuple(sorted(adapters, key=attrgetter("place")))


def load_adapter(directory: Path, manifest: Manifest, shape: LlamaShape) -> LoadedAdapter:
    """Reads a published adapter for a model of this shape.

    Raises AdapterDamaged naming the file and the tensor if it cannot be read, does not fit the model's layers, or uses what
    a sum of adapters does not know.
    """
    factors = _factors(directory, shape)
    rank, alpha = _rank_and_alpha(directory)
    strength = manifest.scale * alpha / rank
    adapted = {module for _, module, _ in factors}
    rows = {group: rank * sum(module in adapted for module in MODULES[group]) for group in GROUPS}
    down: dict[tuple[int, str], Floats] = {}
    up: dict[tuple[int, str], Floats] = {}
    for layer in range(shape.layers):
        for group in GROUPS:
            inputs, outputs = shape.group_widths(group)
            low, high = np.zeros((rows[group], inputs), np.float32), np.zeros((rows[group], sum(outputs)), np.float32)
            row = column = 0
            for module, width in zip(MODULES[group], outputs, strict=True):
                if module in adapted:
                    if (layer, module, "A") in factors:
                        low[row : row + rank] = factors[layer, module, "A"]
                        high[row : row + rank, column : column + width] = strength * factors[layer, module, "B"].T
                    row += rank
                column += width
            down[layer, group], up[layer, group] = low, high
    return LoadedAdapter(manifest.name, manifest.digest, rows, down, up)


def _rank_and_alpha(directory: Path) -> tuple[int, float]:
    try:
        config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise AdapterDamaged(directory, CONFIG, f"cannot be read: {error}") from error
    check_config(directory, config)
    return rank, alpha


def _factors(directory: Path, shape: LlamaShape) -> dict[tuple[int, str, str], Floats]:
    """A [rank, inputs] and B [outputs, rank] by (layer, linear layer, "A" or "B"), all in pairs that fit the model."""
    rank, _ = _rank_and_alpha(directory)
    try:
        tensors = load_file(directory / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise AdapterDamaged(directory, WEIGHTS, f"cannot be read: {error}") from error
    known = {module for modules in MODULES.values() for module in modules}
    factors: dict[tuple[int, str, str], Floats] = {}
    for name, tensor in tensors.items():
        found = _KEY.fullmatch(name)
        if found is None or found[2] not in known or int(found[1]) >= shape.layers:
            raise AdapterDamaged(directory, WEIGHTS, "adapts what this model does not have", field=name)
        inputs, outputs = shape.widths(found[2])
        wanted = (rank, inputs) if found[3] == "A" else (outputs, rank)
        if tuple(tensor.shape) != wanted:
            raise AdapterDamaged(directory, WEIGHTS, f"has shape {list(tensor.shape)}, not {list(wanted)}", field=name)
        if not bool(torch.isfinite(tensor).all()):
            raise AdapterDamaged(directory, WEIGHTS, "holds numbers that are not finite", field=name)
        factors[int(found[1]), found[2], found[3]] = tensor.float().numpy()
    for layer, module, half in factors:
        if (layer, module, "B" if half == "A" else "A") not in factors:
            raise AdapterDamaged(directory, WEIGHTS, f"holds half a pair at layer {layer}, {module}")
    return factors
