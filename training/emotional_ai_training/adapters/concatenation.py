"""An exact weighted sum of adapters as one adapter, for engines that take one at a time.

    W + sum_i w_i (alpha_i / r_i) B_i A_i  =  W + B A,   A = [A_1; A_2; ...],   B = [w_1 s_1 B_1, w_2 s_2 B_2, ...]

with s_i = alpha_i / r_i and the new adapter's own scale 1. Averaging the A and the B apart is something else: it adds
the cross terms B_i A_j. The rank is the sum of ranks, filled with zeros up to a power of two, as some servers want it.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from emotional_ai_training.adapters.errors import AdapterDamaged
from emotional_ai_training.adapters.manifest import CONFIG, check_config
from emotional_ai_training.adapters.weights import WEIGHTS

Tensors = dict[str, torch.Tensor]
Weight = float | Sequence[float]
"""One weight, or one per layer of the model, from the first."""
_LAYER: Final = re.compile(r"\.layers\.(\d+)\.")


def concatenate(parts: Sequence[tuple[Path, Weight]], into: Path, *, filled: bool = True) -> int:
    """Writes into the directory `into` the PEFT adapter that is the sum of `parts`, each (directory, weight).

    Weights may be negative or zero. Returns the rank, which is the sum of ranks itself unless `filled` up to a power of two.
    Raises AdapterDamaged if a part cannot be read, adapts other modules than the first, or has weights per layer and adapts
    a module of no layer or of one beyond them; ValueError if there are no parts.
    """
    if not parts:
        raise ValueError("a sum of adapters needs at least one")
    read = [_read(directory) for directory, _ in parts]
    modules = sorted(name.removesuffix(".lora_A.weight") for name in read[0][0] if name.endswith(".lora_A.weight"))
    for (directory, _), (tensors, _) in zip(parts, read, strict=True):
        if set(tensors) != set(read[0][0]):
            raise AdapterDamaged(directory, WEIGHTS, "adapts other layers than the first adapter of the sum")
    rank = sum(int(config["r"]) for _, config in read)
    rank = _power_of_two(rank) if filled else rank
    summed: Tensors = {}
    for module in modules:
        downs = [tensors[f"{module}.lora_A.weight"].double() for tensors, _ in read]
        ups = [
            _at(module, part)
            * float(config["lora_alpha"])
            / int(config["r"])
            * tensors[f"{module}.lora_B.weight"].double()
            for part, (tensors, config) in zip(parts, read, strict=True)
        ]
        missing = rank - sum(len(down) for down in downs)
        down = torch.cat([*downs, downs[0].new_zeros(missing, downs[0].shape[1])])
        up = torch.cat([*ups, ups[0].new_zeros(ups[0].shape[0], missing)], dim=1)
        summed[f"{module}.lora_A.weight"] = down.float().contiguous()
        summed[f"{module}.lora_B.weight"] = up.float().contiguous()
        if not bool(torch.isfinite(summed[f"{module}.lora_B.weight"]).all()):
            raise AdapterDamaged(parts[0][0], WEIGHTS, f"and what it is summed with are beyond float32 at {module}")
    into.mkdir(parents=True, exist_ok=True)
    save_file(summed, into / WEIGHTS)
    config = {**read[0][1], "r": rank, "lora_alpha": rank}
    (into / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return rank


def _at(module: str, part: tuple[Path, Weight]) -> float:
    """The weight of a part at one module."""
    directory, weight = part
    if isinstance(weight, int | float):
        return weight
    layer = _LAYER.search(module)
    if layer is None or int(layer[1]) >= len(weight):
        raise AdapterDamaged(
            directory, WEIGHTS, f"adapts {module}, for which there is none of {len(weight)} weights per layer"
        )
    return weight[int(layer[1])]


def _read(directory: Path) -> tuple[Tensors, dict[str, Any]]:
    try:
        config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        rank = int(config["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AdapterDamaged(directory, CONFIG, f"cannot be read: {error}") from error
    check_config(directory, config)
    try:
        return load_file(directory / WEIGHTS), {**config, "r": rank}
    except (OSError, SafetensorError) as error:
        raise AdapterDamaged(directory, WEIGHTS, f"cannot be read: {error}") from error


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
