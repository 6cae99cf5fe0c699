"""The second judge: counts cues of each attribute. It has learned from nothing, and shares neither encoder nor labels with
the first.

It is coarse, and silent on many texts; what it is good for is to disagree. Its own agreement with people is part of the report.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.dataset.rows import CHEMICALS

CUES: Final = Path(__file__).parent / "data" / "cues.txt"
_CUE: Final = re.compile(r'"([^"]+)"|(\S+)')
_MARKS: Final = ("!", "?")


def cue_scores(texts: Sequence[str]) -> NDArray[np.float64]:
    """Cues of each chemical's attribute per ten words, of shape (texts, 4); 0 where there is none."""
    return np.array([_scores(text) for text in texts], dtype=np.float64).reshape(len(texts), len(CHEMICALS))


def _scores(text: str) -> list[float]:
    plain = text.lower().replace("’", "'")
    words = max(len(plain.split()), 1)
    return [10.0 * len(pattern.findall(plain)) / words for pattern in _patterns().values()]


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """A pattern per chemical. Raises ValueError for a file without a block for each."""
    cues: dict[str, list[str]] = {}
    block = ""
    for line in CUES.read_text(encoding="utf-8").splitlines():
        bare = line.partition("#")[0].strip()
        if bare.startswith("["):
            block = bare.strip("[]")
        elif bare:
            cues.setdefault(block, []).extend(phrase or word for phrase, word in _CUE.findall(bare))
    if tuple(cues) != CHEMICALS:
        raise ValueError(f"{CUES} has blocks {', '.join(cues)}, wanted {', '.join(CHEMICALS)}")
    return {name: re.compile("|".join(map(_pattern, found))) for name, found in cues.items()}


def _pattern(cue: str) -> str:
    if cue in _MARKS:
        return re.escape(cue)
    body = re.escape(cue.removesuffix("*")) + (r"\w*" if cue.endswith("*") else "")
    return rf"\b{body}\b"
