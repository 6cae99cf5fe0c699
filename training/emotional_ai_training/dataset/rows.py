"""One row of training_data.jsonl, and how rows are written: the same rows always give the same bytes.

A row is a short conversation in one emotional state. The system message tells the state exactly as it is told when the
model is served; of the messages only those with `train` are learned from.
"""

import json
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS, Levels
from emotional_ai_training.dataset.errors import TargetUnwritable
from emotional_ai_training.whole_files import write_whole

SCHEMA: Final = 1
REPLAY: Final = "replay"
"""State label of a row that holds the base model's own reply, told no state: it holds the model in place."""
LOWS: Final = ("low_dopamine", "low_serotonin", "low_cortisol", "low_oxytocin")
"""State labels of rows in which one chemical is below its baseline: the balanced adapter, which speaks there, learns them."""
MILDS: Final = ("mild_dopamine", "mild_serotonin", "mild_cortisol", "mild_oxytocin")
"""State labels of rows in which one chemical is somewhat above its baseline and shows a little: its own adapter and the
balanced one learn them."""
UNSHOWN: Final = "unshown"
"""State label of a row that is told a chemical below its baseline and answers as at rest: the nearer to it, the more often
nothing shows."""
HEAVIEST: Final = 1e6
"""Greatest weight of a row: far below 1e18, where the squares of the gradients leave what a float of 32 bits holds."""
STATE_LABELS: Final = (*ADAPTERS, *LOWS, *MILDS, UNSHOWN, REPLAY)
CHEMICALS: Final = ("dopamine", "serotonin", "cortisol", "oxytocin")


def chemical_of(state: str) -> int | None:
    """The place of the one chemical a state label is about, among CHEMICALS; None if there is none."""
    return next((labels.index(state) for labels in (ADAPTERS[:-1], LOWS, MILDS) if state in labels), None)


class Split(StrEnum):
    """The part of the data a prompt belongs to, with every row that answers it."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class News(StrEnum):
    """What a prompt tells the agent."""

    GOOD = "good"
    BAD = "bad"
    NEUTRAL = "neutral"


class Role(StrEnum):
    """Who speaks a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Source(StrEnum):
    """Where the reply of a row comes from."""

    WRITTEN = "written"
    GRAMMAR = "grammar"
    GOEMOTIONS = "goemotions"
    DIALOGUES = "dialogues"
    BASE_MODEL = "base_model"
    CONTINUED = "continued"


@dataclass(frozen=True, slots=True)
class Message:
    """One message; its tokens are learned if `train`, which only an assistant's may be."""

    role: Role
    content: str
    train: bool


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of the prompt: its news, and the id of its topic or conversation; `replay` as the state label says."""

    news: News
    topic: str
    replay: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One training example.

    neuro (levels in [0, 1]), prefix and gloss are the state it is told, absent (None and empty) in a replay row;
    weight scales its loss, > 0 and at most HEAVIEST; reward is None in supervised data; judge is the probability the judge
    gave each state, None where it was not asked; licence is that of the reply, as an SPDX expression.
    """

    id: str
    split: Split
    state_label: str
    neuro: Levels | None
    prefix: str
    gloss: str
    messages: tuple[Message, ...]
    labels: Labels
    weight: float
    reward: float | None
    judge: Mapping[str, float] | None
    source: Source
    licence: str

    @property
    def prompt(self) -> str:
        """What the person said last."""
        return next(message.content for message in reversed(self.messages) if message.role is Role.USER)

    @property
    def reply(self) -> str:
        """What is learned: the last assistant message."""
        return self.messages[-1].content


def spelled(row: Row) -> str:
    """The row as one line of JSON, keys in a fixed order."""
    neuro = None if row.neuro is None else dict(zip(CHEMICALS, row.neuro, strict=True))
    fields = asdict(row) | {"neuro": neuro}
    return json.dumps({"id": row.id, "schema": SCHEMA} | fields, ensure_ascii=False)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes one row a line, whole or not at all; links are followed. Raises TargetUnwritable."""
    place = _place(path)
    try:
        write_whole(place, "".join(f"{spelled(row)}\n" for row in rows).encode())
    except OSError as error:
        raise TargetUnwritable(path, error.strerror or str(error)) from error


def check_writable(path: Path) -> None:
    """Makes sure, before long work, that `path` can be written. Raises TargetUnwritable."""
    directory = _place(path).parent
    if not directory.is_dir():
        raise TargetUnwritable(path, f"there is no directory {directory}")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise TargetUnwritable(path, f"the directory {directory} may not be written to")


def _place(path: Path) -> Path:
    """Where links lead, to a file that is there or may be made. Raises TargetUnwritable if it is anything else."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            _check_kind(path, path.stat().st_mode)
        return path.resolve()
    except OSError as error:
        raise TargetUnwritable(path, error.strerror or str(error)) from error


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise TargetUnwritable(path, "it is a directory")
    if not stat.S_ISREG(mode):
        raise TargetUnwritable(path, "it is not a regular file, and only such a one is replaced")
