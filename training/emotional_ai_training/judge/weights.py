"""The judge's trained heads: how they are stored, and that a stored file is the one that was trained.

`judge.safetensors` holds the arrays, `judge.json` the states, the numbers measured and the SHA-256 of the arrays' file.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.emotions import LinearHead
from emotional_ai_training.emotions.terms import TermWeighting
from emotional_ai_training.judge.errors import JudgeDamaged

COMMITTED: Final = Path(__file__).parent / "data"
FORMAT: Final = 1
_ARRAYS: Final = "judge.safetensors"
_CARD: Final = "judge.json"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class JudgeWeights:
    """Everything the judge learned, for the five states in the order of ADAPTERS.

    by_embedding (dimension, 5) and by_terms (terms, 5) give calibrated logits, each from its half of the text alone;
    `mix` (2, 5) and `mix_bias` (5,) join the two into one calibrated logit.
    """

    weighting: TermWeighting
    by_embedding: LinearHead
    by_terms: LinearHead
    mix: Floats
    mix_bias: Floats


def save_judge(weights: JudgeWeights, measured: Mapping[str, object], directory: Path) -> str:
    """Writes the two files into `directory` and returns the SHA-256 of the arrays."""
    # Bytes with one scale a state are a quarter of the size of floats.
    scale = np.maximum(np.abs(weights.by_terms.weights).max(axis=0), 1e-8) / 127
    vocabulary = sorted(weights.weighting.vocabulary, key=weights.weighting.vocabulary.__getitem__)
    arrays = {
        "vocabulary": np.frombuffer("\n".join(vocabulary).encode(), dtype=np.uint8),
        "idf": weights.weighting.idf.astype(np.float16),
        "term_weights": np.round(weights.by_terms.weights / scale).astype(np.int8),
        "term_scale": scale.astype(np.float32),
        "term_bias": weights.by_terms.bias,
        "embedding_weights": weights.by_embedding.weights.astype(np.float16),
        "embedding_bias": weights.by_embedding.bias,
        "mix": weights.mix,
        "mix_bias": weights.mix_bias,
    }
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    digest = hashlib.sha256(content).hexdigest()
    card = {"format": FORMAT, "sha256": digest, "states": ADAPTERS, "measured": measured}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _ARRAYS).write_bytes(content)
    (directory / _CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return digest


def load_judge(directory: Path = COMMITTED) -> JudgeWeights:
    """Reads the two files. Raises JudgeDamaged, naming the file, if one is missing, torn, or not its own digest."""
    arrays = _read_arrays(directory / _ARRAYS, _expected_digest(directory / _CARD))
    vocabulary = arrays["vocabulary"].tobytes().decode().split("\n")

    def floats(name: str) -> Floats:
        array: Floats = arrays[name].astype(np.float32)
        return array

    return JudgeWeights(
        weighting=TermWeighting({term: i for i, term in enumerate(vocabulary)}, floats("idf")),
        by_embedding=LinearHead(floats("embedding_weights"), floats("embedding_bias")),
        by_terms=LinearHead(floats("term_weights") * floats("term_scale"), floats("term_bias")),
        mix=floats("mix"),
        mix_bias=floats("mix_bias"),
    )


def _expected_digest(path: Path) -> str:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise JudgeDamaged(path, "the file is missing") from error
    except ValueError as error:
        raise JudgeDamaged(path, f"not JSON: {error}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT or not isinstance(card.get("sha256"), str):
        raise JudgeDamaged(path, f"not a card of format {FORMAT}")
    if card.get("states") != list(ADAPTERS):
        raise JudgeDamaged(path, f"its states are not {', '.join(ADAPTERS)}")
    return str(card["sha256"])


def _read_arrays(path: Path, expected: str) -> dict[str, NDArray[np.generic]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise JudgeDamaged(path, "the file is missing") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise JudgeDamaged(path, f"its SHA-256 is {actual}, not {expected} as {_CARD} says")
    try:
        arrays: dict[str, NDArray[np.generic]] = load(content)
    except SafetensorError as error:
        raise JudgeDamaged(path, f"not safetensors: {error}") from error
    return arrays
