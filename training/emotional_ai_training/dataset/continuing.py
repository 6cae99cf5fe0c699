"""Replies that the grammar begins and the base model goes on with: the state is in the opener, the topic in what follows.

A grammar speaks in a state without saying much about the prompt; the base model stays with the prompt and speaks in no state.
Together they teach to do both.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from emotional_ai_training.conditioning import PERSONA
from emotional_ai_training.dataset.drafting import OWN_LICENCE, Cell, Draft
from emotional_ai_training.dataset.prompts import Prompt
from emotional_ai_training.dataset.replies import Part, Voice
from emotional_ai_training.dataset.rows import Source

FEWEST_WORDS: Final = 12
MOST_WORDS: Final = 40
"""Words of a reply that is kept."""
SENTENCES: Final = 2
"""Sentences of the base model's that are kept: further ones stray."""
REPEATED: Final = 3
COPIED: Final = 5
"""Words in a row that a reply may not say twice, and may not take over from its prompt or from what the agent is told it is."""
_SENTENCES: Final = re.compile(rf"(?:[^.!?]*[.!?]+){{1,{SENTENCES}}}")
_UNFIT: Final = re.compile(r"[()\[\]*#:\"]|https?|\b(?:AI|language model|assist|assistant|chatbot|user|prompt)\b")
"""Stage directions, lists, quotes, and an agent that speaks of itself as a program."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A prompt, and the beginning of a reply to it."""

    cell: Cell
    topic: str
    prompt: str
    opener: str

    def draft(self, continuation: str, licence: str) -> Draft | None:
        """The reply whole: opener, then the first sentences that end; None if it is not one to learn."""
        told = _SENTENCES.match(continuation.partition("\n")[0])
        reply = " ".join(f"{self.opener} {told[0] if told else ''}".split())
        if told is None or _UNFIT.search(reply) or not FEWEST_WORDS <= len(reply.split()) <= MOST_WORDS:
            return None
        said = _runs(reply, REPEATED)
        if len(set(said)) < len(said) or _copies(reply, self.prompt) or recites(reply):
            return None
        whole = f"{OWN_LICENCE} AND {licence}"
        return Draft(self.cell, self.topic, self.prompt, reply, Source.CONTINUED, whole)


def recites(reply: str) -> bool:
    """Whether it says what the agent is told it is."""
    return _copies(reply, PERSONA)


def _copies(reply: str, text: str) -> bool:
    return not set(_runs(reply, COPIED)).isdisjoint(_runs(text, COPIED))


def _runs(text: str, length: int) -> list[tuple[str, ...]]:
    words = re.findall(r"[\w']+", text.lower())
    return list(zip(*(words[start:] for start in range(length)), strict=False))


def begun(cell: Cell, prompts: Sequence[Prompt], voice: Voice, seed: int) -> Iterator[Begun]:
    """Beginnings without end, from the prompts of the cell in turn; the same cell and seed give the same."""
    rng = random.Random(f"{seed}:{cell.state}:{cell.split}:{cell.news}:continued")
    fitting = [prompt for prompt in prompts if (prompt.split, prompt.news) == (cell.split, cell.news)]
    while fitting:
        for prompt in rng.sample(fitting, len(fitting)):
            opener = rng.choice(voice.sentences[cell.news, Part.OPENER]).spell(rng, prompt.phrase)
            yield Begun(cell, prompt.topic, prompt.template.spell(rng), opener)
