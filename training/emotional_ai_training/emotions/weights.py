"""The trained heads: how they are stored, and that a stored file is the one that was trained.

`heads.safetensors` holds the arrays, `heads.json` the names, the numbers measured and the SHA-256 of the arrays' file.
The term heads are bytes with one scale a label: a quarter of the size of floats, at no measurable loss.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from emotional_ai_training.emotions.errors import EmotionsError, WeightsDamaged
from emotional_ai_training.emotions.terms import TermWeighting

COMMITTED: Final = Path(__file__).parent / "data"
FORMAT: Final = 1
_ARRAYS: Final = "heads.safetensors"
_CARD: Final = "heads.json"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Logits of an embedding: `embedding @ weights + bias`; weights (dimension, outputs), bias (outputs,)."""

    weights: Floats
    bias: Floats

    def logits(self, embeddings: Floats) -> Floats:
        """Returns logits of shape (texts, outputs) for embeddings of shape (texts, dimension)."""
        return embeddings @ self.weights + self.bias


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """Everything the appraiser learned.

    emotion_head and term_head give logits of the E emotions, from embeddings and from terms (terms, E);
    `mix` (2, E) and `mix_bias` (E,) join the two into one calibrated logit; `thresholds` (E,) are probabilities.
    signal_head gives logits of the S signals from embeddings; `signal_thresholds` (S,) are probabilities.
    """

    emotions: tuple[str, ...]
    signals: tuple[str, ...]
    weighting: TermWeighting
    emotion_head: LinearHead
    term_head: LinearHead
    mix: Floats
    mix_bias: Floats
    thresholds: Floats
    signal_head: LinearHead
    signal_thresholds: Floats
    digest: str


def save_heads(heads: HeadWeights, metrics: dict[str, Any], directory: Path) -> str:
    """Writes the two files into `directory` and returns the SHA-256 of the arrays; `heads.digest` is not read."""
    arrays: dict[str, NDArray[Any]] = {
        **term_arrays(heads.weighting, heads.term_head),
        "emotion_weights": heads.emotion_head.weights.astype(np.float16),
        "emotion_bias": heads.emotion_head.bias,
        "mix": heads.mix,
        "mix_bias": heads.mix_bias,
        "thresholds": heads.thresholds,
        "signal_weights": heads.signal_head.weights.astype(np.float16),
        "signal_bias": heads.signal_head.bias,
        "signal_thresholds": heads.signal_thresholds,
    }
    digest = write_arrays(directory / _ARRAYS, arrays)
    card = {
        "format": FORMAT,
        "sha256": digest,
        "emotions": heads.emotions,
        "signals": heads.signals,
        "metrics": metrics,
    }
    (directory / _CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return digest


def load_heads(directory: Path = COMMITTED) -> HeadWeights:
    """Reads the two files. Raises WeightsDamaged, naming the file, if one is missing, torn, or not its own digest."""
    card = _card(directory / _CARD)
    arrays = read_arrays(directory / _ARRAYS, card["sha256"], WeightsDamaged)
    weighting, by_terms = term_head(arrays)

    def floats(name: str) -> Floats:
        array: Floats = arrays[name].astype(np.float32)
        return array

    return HeadWeights(
        emotions=tuple(card["emotions"]),
        signals=tuple(card["signals"]),
        weighting=weighting,
        emotion_head=LinearHead(floats("emotion_weights"), floats("emotion_bias")),
        term_head=by_terms,
        mix=floats("mix"),
        mix_bias=floats("mix_bias"),
        thresholds=floats("thresholds"),
        signal_head=LinearHead(floats("signal_weights"), floats("signal_bias")),
        signal_thresholds=floats("signal_thresholds"),
        digest=card["sha256"],
    )


def _card(path: Path) -> dict[str, Any]:
    card = read_card(path, FORMAT, WeightsDamaged)
    if lacking := [key for key in ("emotions", "signals") if key not in card]:
        raise WeightsDamaged(path, f"it lacks {', '.join(lacking)}")
    return card


def read_arrays(path: Path, expected: str, damaged: Callable[[Path, str], EmotionsError]) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file. Raises what `damaged` makes if it is missing, torn, or its SHA-256 not `expected`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise damaged(path, "the file is missing") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise damaged(path, f"its SHA-256 is {actual}, not {expected} as {path.with_suffix('.json').name} says")
    try:
        arrays: dict[str, NDArray[Any]] = load(content)
    except SafetensorError as error:
        raise damaged(path, f"not safetensors: {error}") from error
    return arrays


def read_card(path: Path, form: int, damaged: Callable[[Path, str], EmotionsError]) -> dict[str, Any]:
    """The JSON object beside the arrays. Raises what `damaged` makes if it is missing, torn, or not of format `form`."""
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise damaged(path, "the file is missing") from error
    except ValueError as error:
        raise damaged(path, f"not JSON: {error}") from error
    if not isinstance(card, dict) or card.get("format") != form:
        raise damaged(path, f"not a card of format {form}")
    if not isinstance(card.get("sha256"), str):
        raise damaged(path, "it lacks sha256")
    return card


def term_arrays(weighting: TermWeighting, head: LinearHead) -> dict[str, NDArray[Any]]:
    """A head on terms as it is stored: bytes with one scale an output, a quarter of the size of floats."""
    scale = np.maximum(np.abs(head.weights).max(axis=0), 1e-8) / 127
    vocabulary = sorted(weighting.vocabulary, key=weighting.vocabulary.__getitem__)
    return {
        "vocabulary": np.frombuffer("\n".join(vocabulary).encode(), dtype=np.uint8),
        "idf": weighting.idf.astype(np.float16),
        "term_weights": np.round(head.weights / scale).astype(np.int8),
        "term_scale": scale.astype(np.float32),
        "term_bias": head.bias,
    }


def term_head(arrays: Mapping[str, NDArray[Any]]) -> tuple[TermWeighting, LinearHead]:
    """What `term_arrays` stored."""
    vocabulary = arrays["vocabulary"].tobytes().decode().split("\n")
    weighting = TermWeighting({term: i for i, term in enumerate(vocabulary)}, arrays["idf"].astype(np.float32))
    weights = arrays["term_weights"].astype(np.float32) * arrays["term_scale"].astype(np.float32)
    return weighting, LinearHead(weights, arrays["term_bias"].astype(np.float32))


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Writes a safetensors file, making its directory, and returns its SHA-256."""
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
