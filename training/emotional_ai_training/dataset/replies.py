"""What the agent says in each state: an opener, a middle and at times a closing, each fit for the news it answers.

`replies/<state>.txt` holds sections `[news part]`, such as `[bad opener]`; what stands in `[any opener]` fits every news.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.prompts import COMMITTED
from emotional_ai_training.dataset.rows import News
from emotional_ai_training.dataset.templates import Template, content_lines, parse_template
from emotional_ai_training.emotions import DatasetUnusable

FEWEST_WORDS: Final = 15
"""A reply shorter than this gets a closing."""
MOST_WORDS: Final = 36
"""A closing that would make a reply longer than this is left out; about 45 tokens."""
_ANY: Final = "any"


class Part(StrEnum):
    """A sentence's place in a reply."""

    OPENER = "opener"
    MIDDLE = "middle"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Voice:
    """How one state speaks: its sentences by the news they answer and their place."""

    state: str
    sentences: Mapping[tuple[News, Part], tuple[Template, ...]]

    def reply(self, news: News, phrase: str, rng: random.Random) -> str:
        """Writes one reply to `news` about `phrase`, which is named at most once."""
        opener = rng.choice(self.sentences[news, Part.OPENER])
        middle = self._pick(news, Part.MIDDLE, rng, topic_free=opener.has_topic)
        closing = self._pick(news, Part.CLOSING, rng, topic_free=opener.has_topic or middle.has_topic)
        closes = rng.random() < 0.5
        spoken = " ".join(part.spell(rng, phrase) for part in (opener, middle))
        words, last = len(spoken.split()), closing.spell(rng, phrase)
        if words < FEWEST_WORDS or (closes and words + len(last.split()) <= MOST_WORDS):
            spoken = f"{spoken} {last}"
        return spoken

    def _pick(self, news: News, part: Part, rng: random.Random, *, topic_free: bool) -> Template:
        sentences = self.sentences[news, part]
        return rng.choice([s for s in sentences if not s.has_topic] if topic_free else sentences)


def load_voices(states: Iterable[str] = ADAPTERS, directory: Path = COMMITTED) -> dict[str, Voice]:
    """Reads the replies of each state. Raises DatasetUnusable, naming file and line."""
    return {state: _voice(state, directory / "replies" / f"{state}.txt") for state in states}


def _voice(state: str, path: Path) -> Voice:
    sections = {f"{news} {part}": [] for news in (*News, _ANY) for part in Part}  # type: dict[str, list[Template]]
    section: list[Template] | None = None
    for number, line in content_lines(path):
        if line.startswith("["):
            name = line.strip("[]")
            if name not in sections:
                raise DatasetUnusable(path, f"line {number}: {line} is no section; they are [{'], ['.join(sections)}]")
            section = sections[name]
        elif section is None:
            raise DatasetUnusable(path, f"line {number}: a sentence before the first section")
        else:
            section.append(parse_template(path, number, line, topic_allowed=True))
    sentences = {
        (news, part): (*sections[f"{news} {part}"], *sections[f"{_ANY} {part}"]) for news in News for part in Part
    }
    for (news, part), found in sentences.items():
        if all(sentence.has_topic for sentence in found):
            raise DatasetUnusable(path, f"[{news} {part}] needs a sentence without @topic, and has none")
    return Voice(state, sentences)
