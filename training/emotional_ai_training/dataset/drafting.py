"""Drafts: a prompt, a reply to it and the state it should express, before the judge has heard it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emotional_ai_training.conditioning import (
    PERSONA,
    Levels,
    conditioning_tokens,
    gloss,
    system_text,
)
from emotional_ai_training.dataset.prompts import Prompt
from emotional_ai_training.dataset.replies import Voice
from emotional_ai_training.dataset.rows import REPLAY, STATE_LABELS, Labels, Message, News, Role, Row, Source, Split
from emotional_ai_training.dataset.states import draw_levels

OWN_LICENCE: Final = "LicenseRef-Emotional-AI"


@dataclass(frozen=True, slots=True)
class Cell:
    """What rows are counted by: the state they express, their part, and the news they answer."""

    state: str
    split: Split
    news: News


@dataclass(frozen=True, slots=True)
class Draft:
    """One exchange that should express a state; `topic` is that of the prompt, or the conversation's id."""

    cell: Cell
    topic: str
    prompt: str
    reply: str
    source: Source
    licence: str

    def row(self, name: str, levels: Levels, judge: Mapping[str, float]) -> Row:
        """The row that tells the state as `levels` and trains the reply."""
        prefix, words = conditioning_tokens(levels), gloss(levels)
        return Row(
            id=name,
            split=self.cell.split,
            state_label=self.cell.state,
            neuro=levels,
            prefix=prefix,
            gloss=words,
            messages=_messages(system_text(PERSONA, prefix + words), self.prompt, self.reply),
            labels=Labels(self.cell.news, self.topic, replay=False),
            weight=1.0,
            reward=None,
            judge=judge,
            source=self.source,
            licence=self.licence,
        )


def replay_row(name: str, topic: str, prompt: str, reply: str, licence: str) -> Row:
    """A row that holds the base model in place: its own reply to a neutral prompt, told no state."""
    return Row(
        id=name,
        split=Split.TRAIN,
        state_label=REPLAY,
        neuro=None,
        prefix="",
        gloss="",
        messages=_messages(system_text(PERSONA, ""), prompt, reply),
        labels=Labels(News.NEUTRAL, topic, replay=True),
        weight=1.0,
        reward=None,
        judge=None,
        source=Source.BASE_MODEL,
        licence=licence,
    )


def _messages(system: str, prompt: str, reply: str) -> tuple[Message, ...]:
    return (
        Message(Role.SYSTEM, system, train=False),
        Message(Role.USER, prompt, train=False),
        Message(Role.ASSISTANT, reply, train=True),
    )


def grammar_drafts(cell: Cell, prompts: Sequence[Prompt], voice: Voice, seed: int) -> Iterator[Draft]:
    """Drafts without end, from the prompts of the cell in turn, each round in another order.

    The same cell and seed give the same drafts, whatever other cells were asked for.
    """
    rng = random.Random(f"{seed}:{cell.state}:{cell.split}:{cell.news}")
    fitting = [prompt for prompt in prompts if (prompt.split, prompt.news) == (cell.split, cell.news)]
    while fitting:
        for prompt in rng.sample(fitting, len(fitting)):
            yield Draft(
                cell=cell,
                topic=prompt.topic,
                prompt=prompt.template.spell(rng),
                reply=voice.reply(cell.news, prompt.phrase, rng),
                source=Source.GRAMMAR,
                licence=OWN_LICENCE,
            )


def levels_of(name: str, state: str, seed: int) -> Levels:
    """The levels drawn for a row; they follow from its id and the seed alone."""
    return draw_levels(state, random.Random(f"{seed}:{name}"))


def cells(states: Sequence[str]) -> list[Cell]:
    """Every cell of `states`, in a fixed order."""
    return [Cell(state, split, news) for state in STATE_LABELS if state in states for split in Split for news in News]
