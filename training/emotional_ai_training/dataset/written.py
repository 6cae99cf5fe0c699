"""Replies written by hand, each to one prompt in one state: what the grammar says of any topic, these say of this one.

`written/<state>.txt` holds lines `news : topic id : reply`; a reply fits every way to spell its prompt.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emotional_ai_training.dataset.drafting import OWN_LICENCE, Cell, Draft
from emotional_ai_training.dataset.prompts import COMMITTED, Prompt
from emotional_ai_training.dataset.rows import News, Source
from emotional_ai_training.dataset.templates import content_lines, parse_template
from emotional_ai_training.emotions import DatasetUnusable

Written = Mapping[str, str]
"""The replies of a state by the id of their prompt."""


def load_written(states: Iterable[str], prompts: Sequence[Prompt], directory: Path = COMMITTED) -> dict[str, Written]:
    """Reads the replies of each state. Raises DatasetUnusable, naming file and line."""
    known = {prompt.id for prompt in prompts}
    return {state: _read(directory / "written" / f"{state}.txt", known) for state in states}


def _read(path: Path, known: set[str]) -> Written:
    found: dict[str, str] = {}
    for number, line in content_lines(path):
        parts = [part.strip() for part in line.split(" : ", 2)]
        if len(parts) != 3 or not all(parts):
            raise DatasetUnusable(path, f"line {number}: not `news : topic id : reply`")
        news, topic, reply = parts
        name = f"{news}:{topic}"
        if news not in tuple(News) or name not in known:
            raise DatasetUnusable(path, f"line {number}: there is no prompt {name}")
        if name in found:
            raise DatasetUnusable(path, f"line {number}: a second reply to {name}")
        found[name] = parse_template(path, number, reply, topic_allowed=False).text
    return found


def written_drafts(cell: Cell, prompts: Sequence[Prompt], written: Written, seed: int) -> list[Draft]:
    """What is written for a cell, in an order and spelling that follow from the seed."""
    rng = random.Random(f"{seed}:{cell.state}:{cell.split}:{cell.news}:written")
    fitting = [prompt for prompt in prompts if (prompt.split, prompt.news) == (cell.split, cell.news)]
    return [
        Draft(cell, prompt.topic, prompt.template.spell(rng), written[prompt.id], Source.WRITTEN, OWN_LICENCE)
        for prompt in rng.sample(fitting, len(fitting))
        if prompt.id in written
    ]
