"""A guard of rules: phrases that are flagged, and how far a reply to them is lowered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from emotional_ai_service.safeguard.phrase import Lexicon, Phrase, Words, sentences
from emotional_ai_service.safeguard.safeguard import NOTHING_FOUND, Found, Lasting

MOST_TURNS: Final = 64
"""Turns that words may go on lowering."""
MOST_MINUTES: Final = 10_080.0
"""Wall minutes that words may go on lowering: a week."""
FARTHEST: Final = 32_768
"""Characters of earlier turns that are looked at, the newest first."""
_TAKEN_OUT: Final = ""
"""Stands where a phrase was taken out; no phrase has it."""


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """What is flagged under one name: a sentence with one of `words`, and with one of `beside` if there are any."""

    name: str
    """1..64 lower-case letters, digits, `-`, `_`."""
    words: tuple[Phrase, ...]
    beside: tuple[Phrase, ...] = ()
    unless: tuple[Phrase, ...] = ()
    """Phrases that mean something else; they are taken out of a sentence before it is looked at."""
    intensity: float = 0.0
    """The most that is expressed, in [0, 1]."""
    turns: int = 0
    """Further turns of the conversation it stays lowered, 0..64: those that are sent along are counted."""
    minutes: float = 0.0
    """Wall minutes the session stays lowered, 0..10080."""
    disclosure: str = ""
    """What the person should be told, if anything."""
    _words: Lexicon = field(init=False, repr=False, compare=False)
    _beside: Lexicon = field(init=False, repr=False, compare=False)
    _unless: Lexicon = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("words", "beside", "unless"):
            object.__setattr__(self, f"_{name}", Lexicon(getattr(self, name)))

    def flags(self, sentence: Words) -> bool:
        """Whether a sentence is flagged."""
        if not self._words.within(sentence):
            return False
        left = self._without_others(sentence)
        return self._words.within(left) and (not self._beside or self._beside.within(left))

    def _without_others(self, sentence: Words) -> Words:
        words = list(sentence)
        for start, end in self._unless.spans(sentence):
            words[start:end] = [_TAKEN_OUT] * (end - start)
        return tuple(words)


@final
class Rules:
    """Flags what any of the rules flags; the lowest intensity of all counts."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._turns = max((rule.turns for rule in rules), default=0)

    def look(self, text: str, history: Sequence[str], /) -> Found:
        """What is in `text`, and what of the last turns of `history` still lowers."""
        found = self._flagging(text, self._rules)
        earlier = self._still_lowering(history)
        if not found and not earlier:
            return NOTHING_FOUND
        return Found(
            flags=tuple(rule.name for rule in found),
            intensity=min(rule.intensity for rule in (*found, *earlier)),
            disclosures=tuple(dict.fromkeys(rule.disclosure for rule in found if rule.disclosure)),
            lasting=tuple(Lasting(rule.minutes, rule.intensity) for rule in found if rule.minutes),
        )

    def _still_lowering(self, history: Sequence[str]) -> list[Rule]:
        lowering: list[Rule] = []
        looked = 0
        for ago, said in enumerate(reversed(history[-self._turns :] if self._turns else ()), start=1):
            looked += len(said)
            if looked > FARTHEST:
                break
            lowering += self._flagging(said, (rule for rule in self._rules if rule.turns >= ago))
        return lowering

    def _flagging(self, text: str, rules: Iterable[Rule]) -> list[Rule]:
        said = list(sentences(text))
        return [rule for rule in rules if any(rule.flags(sentence) for sentence in said)]
