"""The rows a training learns from: read from a file or prepared, then sorted into what each recipe takes."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS, BALANCED
from emotional_ai_training.dataset import REPLAY, Row, Split, read_rows
from emotional_ai_training.dataset.rows import LOWS, MILDS, UNSHOWN
from emotional_ai_training.recipes.errors import DataUnusable
from emotional_ai_training.recipes.examples import ChatTokenizer, Example

REPLAY_SHARE: Final = 0.1
"""Replay rows in a run, as a share of the others."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples by the state they express, of the part that is learned and of the part that is held out."""

    train: dict[str, list[Example]]
    held_out: dict[str, list[Example]]
    digest: str
    """SHA-256 of the rows' file."""

    def for_conditioning(self, each: int, seed: int) -> list[Example]:
        """At most `each` rows of every state, chosen by the seed, and a share of replay rows."""
        draw = random.Random(f"{seed}/conditioning")
        own = [
            example
            for state, examples in self.train.items()
            if state != REPLAY
            for example in draw.sample(examples, min(each, len(examples)))
        ]
        return [*own, *self._replay(len(own), draw)]

    def held_out_of_all(self, most: int) -> list[Example]:
        """A fixed selection over all states, at most `most` of them."""
        everything = [example for examples in self.held_out.values() for example in examples]
        return random.Random(0).sample(everything, min(most, len(everything)))

    def for_state(self, state: str, seed: int) -> list[Example]:
        """The state's own rows, its mild ones and a share of replay rows; `balanced` learns all mild, low and unshown ones.

        Raises DataUnusable if it has none.
        """
        own = self.train.get(state, [])
        if not own:
            raise DataUnusable(
                f"no rows of {state} to train on; the data holds {', '.join(sorted(self.train)) or 'none'}"
            )
        besides = (*LOWS, *MILDS, UNSHOWN) if state == BALANCED else (MILDS[ADAPTERS.index(state)],)
        own = [*own, *(example for other in besides for example in self.train.get(other, []))]
        return [*own, *self._replay(len(own), random.Random(f"{seed}/{state}"))]

    def _replay(self, own: int, draw: random.Random) -> list[Example]:
        replay = self.train.get(REPLAY, [])
        return draw.sample(replay, min(len(replay), round(own * REPLAY_SHARE)))


def read_data(file: Path, states: Sequence[str]) -> list[Row]:
    """The rows of `file`, with something to learn for each of `states`.

    Raises DataUnreadable, MalformedRow, naming line and field, or DataUnusable, naming the states without rows.
    """
    rows = read_rows(file)
    learned = {row.state_label for row in rows if row.split is Split.TRAIN}
    if not learned - {REPLAY}:
        raise DataUnusable(f"{file} holds no row to train a state on; prepare it anew: emotional-ai train prepare")
    if missing := [state for state in states if state not in learned]:
        raise DataUnusable(
            f"{file} holds no row of {', '.join(missing)} to train on; it holds {', '.join(sorted(learned))}"
        )
    return rows


def training_data(rows: Sequence[Row], file: Path, tokenizer: ChatTokenizer) -> TrainingData:
    """Tokenises the rows of `file`. Raises ExampleTooLong naming a row."""
    train: dict[str, list[Example]] = {}
    held_out: dict[str, list[Example]] = {}
    for row in rows:
        if row.split is Split.TEST:
            continue
        part = train if row.split is Split.TRAIN else held_out
        chat = [(message.role, message.content) for message in row.messages]
        if any(message.train for message in row.messages[:-1]) or not row.messages[-1].train:
            raise DataUnusable(f"row {row.id}: only the last message can be learned, and it must be")
        part.setdefault(row.state_label, []).append(tokenizer.example(row.id, chat, row.weight))
    return TrainingData(train, held_out, hashlib.sha256(file.read_bytes()).hexdigest())
