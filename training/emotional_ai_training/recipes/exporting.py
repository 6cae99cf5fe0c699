"""From a finished run on the server to an adapter in the form PEFT reads.

Servers name tensors in one of two ways: as PEFT does (`base_model.model.model.layers.0...`), or by the model's own
names. Both are taken; anything else is refused by name rather than guessed.
"""

import json
import re
from pathlib import Path
from typing import Final

import tinker
from safetensors.torch import load_file, save_file

from emotional_ai_training.adapters import CONFIG, WEIGHTS
from emotional_ai_training.recipes.errors import ExportRefused
from emotional_ai_training.tinker_api import download_adapter

_PREFIX: Final = "base_model.model."
_KNOWN: Final = re.compile(r"model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.lora_[AB]\.weight")


def export(rest: tinker.RestClient, path: str, into: Path, seconds: float) -> int:
    """Downloads the adapter at `path` into the empty directory `into` in PEFT's form and returns its rank.

    Raises DownloadFailed, or ExportRefused naming what does not fit.
    """
    download_adapter(rest, path, into, seconds)
    missing = [name for name in (WEIGHTS, CONFIG) if not (into / name).is_file()]
    if missing:
        raise ExportRefused(f"{path} was exported without {' and '.join(missing)}")
    tensors = load_file(into / WEIGHTS)
    named = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()}
    unknown = sorted(name for name in named if not _KNOWN.fullmatch(name))
    if unknown:
        raise ExportRefused(f"{path} holds tensors that cannot be blended, such as {unknown[0]}")
    config = json.loads((into / CONFIG).read_text(encoding="utf-8"))
    targets = sorted({name.split(".")[-3] for name in named})
    if set(tensors) != {_PREFIX + name for name in named}:
        save_file({_PREFIX + name: tensor for name, tensor in named.items()}, into / WEIGHTS)
    # PEFT takes null to mean its own default, which leaves most of them out.
    if not config.get("target_modules"):
        config["target_modules"] = targets
        (into / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return int(config["r"])
