"""Making a text readable: cleaning it, and cutting a long one into windows the encoder can take whole.

A sentence encoder sees a bounded number of tokens and the emotions were learned on single comments, so a long text is
read window by window: a window ends at the end of a sentence where it can, and holds at most `WINDOW_CHARACTERS`.
"""

import re
import unicodedata
from typing import Final

WINDOW_CHARACTERS: Final = 240

_MASKS: Final = {"[NAME]": "someone", "[RELIGION]": "religion"}
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+")
# Format characters that carry meaning: the joiner and the variation selectors of emoji.
_KEPT: Final = frozenset("\u200d\ufe0e\ufe0f")


def clean(text: str) -> str:
    """Returns `text` with typographic apostrophes made plain, unreadable characters and runs of space made one space.

    Unreadable are control characters, lone surrogates, private and unassigned code points and invisible format marks.
    The result is empty if nothing readable is left.
    """
    plain = text.replace("\u2019", "'").replace("\u2018", "'")
    readable = "".join(c if c in _KEPT or unicodedata.category(c)[0] != "C" else " " for c in plain)
    return " ".join(readable.split()) if set(readable) - _KEPT else ""


def unmask(text: str) -> str:
    """Replaces the masks of the GoEmotions release by ordinary words, which no live text would hold."""
    for mask, word in _MASKS.items():
        text = text.replace(mask, word)
    return text


def windows(text: str, limit: int = WINDOW_CHARACTERS) -> list[str]:
    """Cuts a clean text into windows of at most `limit` characters; together they hold every word of it, in order."""
    if len(text) <= limit:
        return [text]
    pieces = [piece for sentence in _SENTENCE_END.split(text) for piece in _pieces(sentence, limit)]
    return _packed(pieces, limit)


def _pieces(sentence: str, limit: int) -> list[str]:
    """Cuts one sentence at spaces, and a word longer than a window at the limit."""
    words = [word[i : i + limit] for word in sentence.split() for i in range(0, len(word), limit)]
    return words if len(sentence) > limit else [sentence]


def _packed(pieces: list[str], limit: int) -> list[str]:
    """Joins neighbouring pieces while they fit one window."""
    packed: list[str] = []
    for piece in pieces:
        if packed and len(packed[-1]) + 1 + len(piece) <= limit:
            packed[-1] = f"{packed[-1]} {piece}"
        else:
            packed.append(piece)
    return packed
