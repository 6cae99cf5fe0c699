"""Whom a text is about: the cues that decide whether kindness or scorn in it is meant for the agent.

The text is said by a person to the agent, so "you" is the agent, and "he", "she" or "my boss" somebody else.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

_SECOND: Final = re.compile(r"\b(?:you(?:'?re|'ve|'d|'ll)?|your(?:s|self)?|u|ur|ya|thee|thou|thy)\b")
_THIRD: Final = re.compile(
    r"\b(?:s?he(?:'s|'d)?|him(?:self)?|hers?(?:elf)?|his|they(?:'re|'ve)?|them|theirs?|(?:some|every)(?:one|body)|"
    r"people|guys?)\b"
)
# "You know" and "if you ask me" speak to nobody in particular.
_FILLER: Final = re.compile(r"\b(?:you know|you see|if you ask me|thank you for nothing|mind you)\b")


class Direction(Enum):
    """Whom a text speaks about."""

    AGENT = "agent"
    OPEN = "open"
    OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Cues:
    """What the words around the feeling say: whom it is about, and whether it asks."""

    direction: Direction
    question: bool


def find_cues(text: str) -> Cues:
    """Reads the cues of a clean text.

    AGENT if a second-person word is in it; OTHERS if it names others and no "you";
    OPEN if it names nobody ("well done!").
    """
    words = _FILLER.sub(" ", text.lower())
    if _SECOND.search(words):
        direction = Direction.AGENT
    elif _THIRD.search(words):
        direction = Direction.OTHERS
    else:
        direction = Direction.OPEN
    return Cues(direction, question="?" in text)
