"""What people say to the agent, and the split: a prompt and every way to spell it belong to one part, for good.

The part follows from a hash of the prompt's id alone, so neither a seed nor a prompt added later moves another one.
"""

import hashlib
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from emotional_ai_training.dataset.rows import News, Split
from emotional_ai_training.dataset.templates import Template, content_lines, parse_template
from emotional_ai_training.emotions import DatasetUnusable

COMMITTED: Final = Path(__file__).parent / "data"
_TEST_SHARE: Final = 0.26
_DEV_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something a person says: its news, its topic, the topic as the agent would name it, and the text."""

    news: News
    topic: str
    phrase: str
    template: Template

    @property
    def id(self) -> str:
        """Names the prompt among all."""
        return f"{self.news}:{self.topic}"

    @property
    def split(self) -> Split:
        """The part it belongs to."""
        return split_of(self.id)


@dataclass(frozen=True, slots=True)
class SpelledPrompt:
    """A prompt as it is said."""

    id: str
    news: News
    topic: str
    text: str


def split_of(name: str) -> Split:
    """The part that whatever is called `name` belongs to: about 26 % test, 10 % dev."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    if place < _TEST_SHARE:
        return Split.TEST
    return Split.DEV if place < _TEST_SHARE + _DEV_SHARE else Split.TRAIN


def load_prompts(directory: Path = COMMITTED) -> tuple[Prompt, ...]:
    """Reads `prompts.txt`. Raises DatasetUnusable, naming file and line."""
    path = directory / "prompts.txt"
    prompts: dict[str, Prompt] = {}
    for number, line in content_lines(path):
        prompt = _parsed(path, number, line)
        if prompt.id in prompts:
            raise DatasetUnusable(path, f"line {number}: {prompt.id} is the id of an earlier prompt")
        prompts[prompt.id] = prompt
    return tuple(prompts.values())


def _parsed(path: Path, number: int, line: str) -> Prompt:
    parts = [part.strip() for part in line.split(" : ", 3)]
    if len(parts) != 4 or not all(parts):
        raise DatasetUnusable(path, f"line {number}: not `news : topic id : topic phrase : text`")
    news, topic, phrase, text = parts
    if news not in tuple(News):
        raise DatasetUnusable(path, f"line {number}: {news!r} is not one of {', '.join(News)}")
    return Prompt(News(news), topic, phrase, parse_template(path, number, text, topic_allowed=False))


@cache
def held_out_prompts(split: Split, directory: Path = COMMITTED) -> tuple[SpelledPrompt, ...]:
    """Every prompt of one part, spelled in one fixed way, in the order of the file: what an evaluation asks."""
    prompts = [prompt for prompt in load_prompts(directory) if prompt.split is split]
    return tuple(
        SpelledPrompt(prompt.id, prompt.news, prompt.topic, prompt.template.spell(random.Random(prompt.id)))
        for prompt in prompts
    )
