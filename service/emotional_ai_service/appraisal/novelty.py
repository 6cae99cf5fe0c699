"""How new a text is in its conversation, from the distance of sentence embeddings.

With s the highest cosine similarity of the text to any earlier message of the person, and d = 1 - s:

    topic(d)         = 0.7 * clip((d - 0.2) / 0.8, 0, 1)    what a change of topic alone is worth
    unfamiliarity(d) = clip(d / 0.2, 0, 1)                  0 for a repeat: then not even surprise in its words is new

0.2 is where paraphrases end, 1 is no relation. A first message has nothing to be compared with: topic is `FIRST`.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FIRST: Final = 0.3
TOPIC_WEIGHT: Final = 0.7
PARAPHRASE_DISTANCE: Final = 0.2

Floats = NDArray[np.float32]


def distance(embedding: Floats, earlier: Floats) -> float:
    """1 - the highest cosine similarity of `embedding` (dimension,) to the rows of `earlier` (messages, dimension).

    Rows have unit length. In [0, 1]: opposed is no newer than unrelated.
    """
    return float(np.clip(1.0 - np.max(earlier @ embedding), 0.0, 1.0))


def topic(distance: float) -> float:
    """What a change of topic alone is worth, in [0, 0.7]."""
    return TOPIC_WEIGHT * min(max((distance - PARAPHRASE_DISTANCE) / (1.0 - PARAPHRASE_DISTANCE), 0.0), 1.0)


def unfamiliarity(distance: float) -> float:
    """Factor of the novelty found in words, in [0, 1]; 0 for a repeat."""
    return min(max(distance / PARAPHRASE_DISTANCE, 0.0), 1.0)


class EmbeddingMemory:
    """Keeps the embeddings of the texts last used, so that a conversation is embedded once and not at every turn.

    Texts themselves are not kept, only a digest that recognises them.
    """

    def __init__(self, embed: Callable[[Sequence[str]], Floats], limit: int = 4096) -> None:
        self._embed = embed
        self._limit = limit
        self._kept: OrderedDict[bytes, Floats] = OrderedDict()

    def put(self, text: str, embedding: Floats) -> None:
        """Keeps an embedding that is known already."""
        digest = _digest(text)
        self._kept[digest] = embedding
        self._kept.move_to_end(digest)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def look_up(self, texts: Sequence[str]) -> Floats:
        """Returns the embeddings of `texts`, of shape (texts, dimension), and makes those that are not kept."""
        found = {text: kept for text in texts if (kept := self._kept.get(_digest(text))) is not None}
        unknown = [text for text in dict.fromkeys(texts) if text not in found]
        if unknown:
            found |= dict(zip(unknown, self._embed(unknown), strict=True))
        for text, embedding in found.items():
            self.put(text, embedding)
        return np.stack([found[text] for text in texts])


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
