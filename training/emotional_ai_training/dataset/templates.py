"""Text with choices, `I'm {glad|so glad} about @topic.`: checked when it is read, spelled at random from a seed."""

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai_training.emotions import DatasetUnusable, clean

TOPIC: Final = "@topic"
_CHOICE: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A text in which `{a|b}` picks one, and `@topic`, if allowed, stands for what is talked about."""

    text: str

    @property
    def has_topic(self) -> bool:
        """Whether it speaks of the topic."""
        return TOPIC in self.text

    def spell(self, rng: random.Random, topic: str = "") -> str:
        """Writes one text."""
        chosen = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), self.text)
        return clean(chosen.replace(TOPIC, topic))


def parse_template(path: Path, line: int, text: str, *, topic_allowed: bool) -> Template:
    """Checks one text. Raises DatasetUnusable, naming file and line, for an empty choice, a stray brace or name."""

    def refuse(problem: str) -> DatasetUnusable:
        return DatasetUnusable(path, f"line {line}: {problem}")

    if not text.strip():
        raise refuse("there is no text")
    rest = _CHOICE.sub("", text)
    if set("{}|") & set(rest):
        raise refuse("a choice is {a|b}: one in another, or a stray brace or bar, is not allowed")
    for choice in _CHOICE.findall(text):
        if "|" not in choice or not all(part.strip() for part in choice.split("|")):
            raise refuse(f"{{{choice}}} is no choice: it needs two or more parts, none empty")
    names = set(re.findall(r"@\w*", text))
    if names - ({TOPIC} if topic_allowed else set()):
        raise refuse(f"{', '.join(sorted(names))}: only {TOPIC} may stand here, and only in a reply")
    if text.count(TOPIC) > 1:
        raise refuse(f"{TOPIC} stands here twice")
    return Template(text.strip())


def content_lines(path: Path) -> list[tuple[int, str]]:
    """The numbered lines of a content file, without blanks and comments. Raises DatasetUnusable if it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetUnusable(path, f"cannot be read: {error}") from error
    return [(i, line.strip()) for i, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
