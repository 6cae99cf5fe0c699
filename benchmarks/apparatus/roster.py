"""Who takes part: each contender's interpreter, module and setting, or why it does not."""

import os
import sys
from collections.abc import Sequence
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
    python: Path
    module: str
    setting: Setting


@dataclass(frozen=True, slots=True)
class Roster:
    """Who takes part, and who does not and why."""

    entries: tuple[Entry, ...]
    left_out: tuple[tuple[str, str], ...]


def roster(model: Path, sets: Sequence[Sequence[Path]], dtype: str, threads: int, *, quick: bool) -> Roster:
    """The contenders for a model and sets of adapters; of the quick form, those without environments of their own."""
    adapters = tuple(tuple(map(str, one)) for one in sets)

    def setting(kind: str, at: Path = model) -> Setting:
        return Setting(str(at), adapters, kind, threads)

    own = Path(sys.executable)
    entries = [Entry("ours", own, "ours", setting(dtype)), Entry("transformers", own, "plain", setting(dtype))]
    if quick:
        return Roster(tuple(entries), (("peers in environments of their own", "the quick form leaves them out"),))
    entries.append(Entry("ours-int8", own, "ours", setting("int8")))
    left_out = []
    peers = cache_dir(os.environ) / "peers"
    for name, environment, module, kind, made in (
        ("genai", "genai", "genai", dtype, f"genai/models/{model.name}-fp32"),
        ("genai-int8", "genai", "genai", "int8", f"genai/models/{model.name}-int8"),
        ("genai-int4", "genai", "genai", "int4", f"genai/models/{model.name}-int4"),
        ("vllm", "vllm", "vllm_engine", dtype, ""),
        ("llama-cpp", "llama-cpp", "llama_cpp", "int4", f"llama-cpp/{model.name}-q4.gguf"),
    ):
        python, at = peers / environment / "bin" / "python", peers / made if made else model
        if python.exists() and at.exists():
            entries.append(Entry(name, python, module, setting(kind, at)))
        else:
            left_out.append((name, HINT))
    return Roster(tuple(entries), tuple(left_out))
