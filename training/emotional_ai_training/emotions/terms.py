"""Words and word pairs of a text, weighted by how rare they are (TF-IDF), at run time with numpy alone.

weight(term) = (1 + ln count) * idf(term), the vector scaled to unit length over the terms of the vocabulary;
idf(term) = 1 + ln((1 + texts) / (1 + texts with it)), fitted at training time.
"""

import itertools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[!?]+|[^\w\s]")


def terms(text: str) -> list[str]:
    """Returns the lower-cased words, marks and emoji of a clean text, then its pairs of neighbours."""
    words = _WORD.findall(text.lower())
    return words + [f"{a} {b}" for a, b in itertools.pairwise(words)]


@dataclass(frozen=True, slots=True)
class TermVector:
    """The terms of one text that the vocabulary knows: their columns, and weights of unit length together."""

    columns: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TermWeighting:
    """A fitted vocabulary: the column of each term, and idf of shape (terms,)."""

    vocabulary: Mapping[str, int]
    idf: NDArray[np.float32]

    def vector(self, text: str) -> TermVector:
        """Weighs a clean text; the vector is empty if no term of it is known."""
        counts = Counter(self.vocabulary[term] for term in terms(text) if term in self.vocabulary)
        columns = np.fromiter(counts, dtype=np.int64, count=len(counts))
        frequency = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
        weights: NDArray[np.float32] = ((1.0 + np.log(frequency)) * self.idf[columns]).astype(np.float32)
        length = float(np.linalg.norm(weights))
        return TermVector(columns, (weights / length).astype(np.float32) if length else weights)
