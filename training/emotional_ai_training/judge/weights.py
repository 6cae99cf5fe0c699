"""The judge's trained heads: how they are stored, and that a stored file is the one that was trained.

`judge.safetensors` holds the arrays, `judge.json` the states, the numbers measured and the SHA-256 of the arrays' file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.emotions import LinearHead
from emotional_ai_training.emotions.terms import TermWeighting
from emotional_ai_training.emotions.weights import read_arrays, read_card, term_arrays, term_head, write_arrays
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
    arrays = {
        **term_arrays(weights.weighting, weights.by_terms),
        "embedding_weights": weights.by_embedding.weights.astype(np.float16),
        "embedding_bias": weights.by_embedding.bias,
        "mix": weights.mix,
        "mix_bias": weights.mix_bias,
    }
    digest = write_arrays(directory / _ARRAYS, arrays)
    card = {"format": FORMAT, "sha256": digest, "states": ADAPTERS, "measured": measured}
    (directory / _CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return digest


def load_judge(directory: Path = COMMITTED) -> JudgeWeights:
    """Reads the two files. Raises JudgeDamaged, naming the file, if one is missing, torn, or not its own digest."""
    card = directory / _CARD
    read = read_card(card, FORMAT, JudgeDamaged)
    if read.get("states") != list(ADAPTERS):
        raise JudgeDamaged(card, f"its states are not {', '.join(ADAPTERS)}")
    arrays = read_arrays(directory / _ARRAYS, read["sha256"], JudgeDamaged)
    weighting, by_terms = term_head(arrays)

    def floats(name: str) -> Floats:
        array: Floats = arrays[name].astype(np.float32)
        return array

    return JudgeWeights(
        weighting=weighting,
        by_embedding=LinearHead(floats("embedding_weights"), floats("embedding_bias")),
        by_terms=by_terms,
        mix=floats("mix"),
        mix_bias=floats("mix_bias"),
    )
