"""Any local checkpoint directory: is it a model we can decode with, and which one is it."""

import hashlib
import json
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from emotional_ai_training.models.errors import NotAModel

ARCHITECTURE: Final = "LlamaForCausalLM"


def check_model_dir(path: Path) -> Path:
    """Returns `path` if it is a Llama-architecture checkpoint with safetensors weights and a tokenizer.

    Raises NotAModel saying exactly what is missing or wrong. Headers are read, weights are not.
    """
    if not path.is_dir():
        raise NotAModel(path, "there is no such directory")
    _check_config(path)
    for shard in weight_files(path):
        _check_shard(path, shard)
    if not (path / "tokenizer.json").is_file() and not (path / "tokenizer.model").is_file():
        raise NotAModel(path, "it has no tokenizer (neither tokenizer.json nor tokenizer.model)")
    return path


def weight_files(path: Path) -> list[Path]:
    """The safetensors files of a checkpoint, sorted: those its index names, or the single one. Raises NotAModel."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise NotAModel(path, f"{index.name} cannot be read ({error})") from error
        return [path / name for name in names]
    single = path / "model.safetensors"
    if single.is_file():
        return [single]
    if any(path.glob("*.bin")) or any(path.glob("*.gguf")):
        raise NotAModel(path, "its weights are not safetensors; convert them with transformers' save_pretrained")
    raise NotAModel(path, "it has no weights (neither model.safetensors nor model.safetensors.index.json)")


def model_digest(path: Path, cache: Path) -> str:
    """SHA-256 in hex over the weight files' names and contents, in order of name.

    Kept in `cache` by path, size and modification time of each file, so that it is computed once. Raises NotAModel.
    """
    files = weight_files(path)
    stamp = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    key = hashlib.sha256(json.dumps([str(path.resolve()), stamp]).encode()).hexdigest()
    kept = cache / "digests" / key
    if kept.is_file() and len(known := kept.read_text(encoding="ascii")) == 64:
        return known
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(digest.hexdigest(), encoding="ascii")
    return digest.hexdigest()


def _check_config(path: Path) -> None:
    config = path / "config.json"
    if not config.is_file():
        raise NotAModel(path, "it has no config.json")
    try:
        described = json.loads(config.read_text(encoding="utf-8"))
        architectures = described.get("architectures") or ["unnamed"]
    except (ValueError, AttributeError) as error:
        raise NotAModel(path, f"config.json cannot be read ({error})") from error
    if ARCHITECTURE not in architectures:
        raise NotAModel(path, f"its architecture is {', '.join(map(str, architectures))}, not {ARCHITECTURE}")


def _check_shard(path: Path, shard: Path) -> None:
    if not shard.is_file():
        raise NotAModel(path, f"its index names {shard.name}, which is not there")
    try:
        with safe_open(shard, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise NotAModel(path, f"{shard.name} is damaged or cut short ({error})") from error
