"""Phrases: words in a row, looked for in time that grows with the text and the number of phrases alone.

    "kill|hurt myself"         one word or another, then a word
    "suicid*"                  every word that begins so
    "end ... my life"          at most GAP words between

They are not regular expressions, so that nothing a file of rules says can make looking slow. Case, accents and apostrophes do
not count, nor do characters of no width; a phrase does not reach from one sentence into the next.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

GAP: Final = 3
"""Words that `...` stands for at most."""
LONGEST_PHRASE: Final = 200
"""Characters of a phrase at most."""
MOST_WORDS: Final = 12
"""Words of a phrase at most, and words that can stand in one place."""
SHORTEST_STEM: Final = 3
"""Letters before a `*` at least."""
MOST_GAPS: Final = 3
_SENTENCE_END: Final = re.compile(r"[.!?;:\n…]+")
_WORD: Final = re.compile(r"[^\W_]+")
_APOSTROPHES: Final = dict.fromkeys(map(ord, "'`´‘’ʼ"))

Words = tuple[str, ...]


class Span(NamedTuple):
    """Where a phrase stands in a sentence: words from `start` up to, not including, `end`."""

    start: int
    end: int


def sentences(text: str) -> Iterator[Words]:
    """The sentences of a text, as words without case, accents and apostrophes."""
    for part in _SENTENCE_END.split(text):
        words = tuple(_WORD.findall(_plain(part)))
        if words:
            yield words


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).casefold()
    if spread.isascii():
        return spread
    return "".join(one for one in spread if unicodedata.category(one) not in ("Mn", "Cf"))


@dataclass(frozen=True, slots=True)
class Place:
    """What one word of a phrase may be."""

    words: frozenset[str]
    stems: Words
    after_gap: bool

    def takes(self, word: str) -> bool:
        """Whether a word may stand here."""
        return word in self.words or word.startswith(self.stems)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Places in a row."""

    places: tuple[Place, ...]

    @classmethod
    def read(cls, text: str) -> "Phrase":
        """The phrase a text stands for. Raises ValueError saying why it is none, and what would be."""
        if len(text) > LONGEST_PHRASE:
            raise ValueError(f"has {len(text)} characters; at most {LONGEST_PHRASE} are allowed")
        places: list[Place] = []
        gap = False
        for part in text.split():
            if part == "...":
                if gap or not places:
                    raise ValueError("`...` must stand between two words")
                gap = True
            else:
                places.append(_place(part, gap))
                gap = False
        if gap or not places:
            raise ValueError("must begin and end with a word")
        if len(places) > MOST_WORDS or sum(one.after_gap for one in places) > MOST_GAPS:
            raise ValueError(f"may have at most {MOST_WORDS} words and {MOST_GAPS} times `...`")
        return cls(tuple(places))

    def end(self, words: Words, start: int) -> int | None:
        """Where the phrase ends if it begins at `start`, at the nearest; None if it does not stand there."""
        reached = {start}
        for place in self.places:
            steps = range(GAP + 1) if place.after_gap else range(1)
            tried = {at + step for at in reached for step in steps}
            reached = {at + 1 for at in tried if at < len(words) and place.takes(words[at])}
            if not reached:
                return None
        return min(reached)


def _place(part: str, after_gap: bool) -> Place:
    words, stems = set(), []
    for choice in part.split("|"):
        word = _plain(choice.removesuffix("*"))
        if not _WORD.fullmatch(word):
            raise ValueError(
                f"{choice!r} must be one word of letters and digits, with a `*` at its end if it may go on"
            )
        if not choice.endswith("*"):
            words.add(word)
        elif len(word) < SHORTEST_STEM:
            raise ValueError(f"{choice!r} needs at least {SHORTEST_STEM} letters before its `*`")
        else:
            stems.append(word)
    if len(words) + len(stems) > MOST_WORDS:
        raise ValueError(f"{part!r} offers more than {MOST_WORDS} words for one place; use several phrases")
    return Place(frozenset(words), tuple(stems), after_gap)


class Lexicon:
    """Phrases, found by their first word."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._by_word: defaultdict[str, list[Phrase]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[Phrase]] = defaultdict(list)
        for phrase in phrases:
            for word in phrase.places[0].words:
                self._by_word[word].append(phrase)
            for stem in phrase.places[0].stems:
                self._by_stem[stem].append(phrase)
        self._stem_lengths = sorted({len(stem) for stem in self._by_stem})

    def __bool__(self) -> bool:
        return bool(self._by_word or self._by_stem)

    def spans(self, words: Words) -> Iterator[Span]:
        """Where phrases stand in a sentence, by rising start."""
        for start, word in enumerate(words):
            for phrase in self._beginning_with(word):
                end = phrase.end(words, start)
                if end is not None:
                    yield Span(start, end)

    def within(self, words: Words) -> bool:
        """Whether any phrase stands in a sentence."""
        return next(self.spans(words), None) is not None

    def _beginning_with(self, word: str) -> Iterator[Phrase]:
        yield from self._by_word.get(word, ())
        for length in self._stem_lengths:
            yield from self._by_stem.get(word[:length], ())
