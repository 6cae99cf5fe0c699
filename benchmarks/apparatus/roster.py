"""Who takes part: each contender's interpreter, module and setting, or why it does not."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apparatus.turns import Setting
from emotional_ai_training.models import cache_dir

HINT: Final = "not installed (make peers)"


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender that can be started."""

    name: str
    command: tuple[str, ...]
    setting: Setting
    peer: bool
    """Whether the rest is worth measuring without it."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Who takes part, and who does not and why."""

    entries: tuple[Entry, ...]
    left_out: tuple[tuple[str, str], ...]


def roster(model: Path, sets: Sequence[Sequence[Path]], dtype: str, threads: int, *, quick: bool) -> Roster:
    """The contenders for a model and sets of adapters; in the quick form, those without environments of their own."""
    adapters = tuple(tuple(map(str, one)) for one in sets)
    entries = [
        Entry(name, _module(Path(sys.executable), module), Setting(str(model), adapters, kind, threads), peer=False)
        for name, module, kind in (
            ("ours", "ours", dtype),
            ("transformers", "plain", dtype),
            ("ours-int8", "ours", "int8"),
        )
    ]
    if quick:
        return Roster(tuple(entries[:2]), (("peers and int8", "the quick form leaves them out"),))
    left_out: list[tuple[str, str]] = []
    for name, home, command, kind, at in _peers(cache_dir(os.environ) / "peers", model, dtype):
        if Path(command[0]).exists() and home.exists() and at.exists():
            setting = Setting(str(at), adapters, kind, threads, (("home", str(home)),))
            entries.append(Entry(name, command, setting, peer=True))
        else:
            left_out.append((name, HINT))
    return Roster(tuple(entries), tuple(left_out))


def _peers(homes: Path, model: Path, dtype: str) -> Iterator[tuple[str, Path, tuple[str, ...], str, Path]]:
    """Name, environment, command, format and model of each peer, installed or not."""
    genai, vllm, llama = homes / "genai", homes / "vllm", homes / "llama-cpp"
    python = _module(genai / "bin" / "python", "genai")
    for name, kind, made in (("genai", dtype, "fp32"), ("genai-int8", "int8", "int8"), ("genai-int4", "int4", "int4")):
        yield name, genai, python, kind, genai / "models" / f"{model.name}-{made}"
    yield "vllm", vllm, _module(vllm / "bin" / "python", "vllm_engine"), dtype, model
    node, script = shutil.which("node") or "node", Path(__file__).with_name("llama_cpp.mjs")
    yield "llama-cpp", llama, (node, str(script)), "int4", llama / f"{model.name}-q4.gguf"


def _module(python: Path, name: str) -> tuple[str, ...]:
    return str(python), "-m", f"apparatus.{name}"
