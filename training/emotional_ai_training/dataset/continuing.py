"""Replies that the grammar begins and the base model goes on with: the state is in the opener, the topic in what follows.

A grammar speaks in a state without saying much about the prompt; the base model stays with the prompt and speaks in no state.
Together they teach to do both.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from emotional_ai_training.dataset.drafting import OWN_LICENCE, Cell, Draft
from emotional_ai_training.dataset.prompts import Prompt
from emotional_ai_training.dataset.replies import Part, Voice
from emotional_ai_training.dataset.rows import Source

FEWEST_WORDS: Final = 12
MOST_WORDS: Final = 45
"""Words of a reply that is kept."""
_UNFIT: Final = re.compile(r"[()\[\]*#:\"]|https?|\b(?:AI|language model|assistant|chatbot|user|prompt)\b")
"""Stage directions, lists, quotes, and an agent that speaks of itself as a program."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A prompt, and the beginning of a reply to it."""

    cell: Cell
    topic: str
    prompt: str
    opener: str

    def draft(self, continuation: str, licence: str) -> Draft | None:
        """The reply whole: up to the last sentence that ends; None if it is not one to learn."""
        told = continuation.partition("\n")[0]
        told = told[: max(told.rfind(mark) for mark in ".!?") + 1]
        reply = " ".join(f"{self.opener} {told}".split())
        if not told.strip() or _UNFIT.search(reply) or not FEWEST_WORDS <= len(reply.split()) <= MOST_WORDS:
            return None
        whole = f"{OWN_LICENCE} AND {licence}"
        return Draft(self.cell, self.topic, self.prompt, reply, Source.CONTINUED, whole)


def begun(cell: Cell, prompts: Sequence[Prompt], voice: Voice, seed: int) -> Iterator[Begun]:
    """Beginnings without end, from the prompts of the cell in turn; the same cell and seed give the same."""
    rng = random.Random(f"{seed}:{cell.state}:{cell.split}:{cell.news}:continued")
    fitting = [prompt for prompt in prompts if (prompt.split, prompt.news) == (cell.split, cell.news)]
    while fitting:
        for prompt in rng.sample(fitting, len(fitting)):
            opener = rng.choice(voice.sentences[cell.news, Part.OPENER]).spell(rng, prompt.phrase)
            yield Begun(cell, prompt.topic, prompt.template.spell(rng), opener)
