"""Own sentences for the signals: templates with choices, spelled out at random from a seed.

A template is `signal signal : text`; in the text `{a|b|}` is a choice, `@name` a choice from a list that a line
`@name = a|b` defines. `none` marks a template that carries no signal. The file `data/signal_grammar.txt` holds them.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai_training.emotions.errors import DatasetUnusable
from emotional_ai_training.emotions.text import clean

COMMITTED: Final = Path(__file__).parent / "data" / "signal_grammar.txt"
SILENCE: Final = "none"

_CHOICE: Final = re.compile(r"\{([^{}]*)\}")
_LIST: Final = re.compile(r"@(\w+)")


@dataclass(frozen=True, slots=True)
class Template:
    """One line of the grammar: the signals its sentences carry (none for silence), and its text."""

    signals: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Grammar:
    """The templates, and the lists they choose from."""

    templates: tuple[Template, ...]
    lists: dict[str, tuple[str, ...]]

    def spell(self, template: Template, rng: random.Random) -> str:
        """Writes one sentence; a third of them without capitals and a quarter without the last mark, as people type."""
        listed = _LIST.sub(lambda match: rng.choice(self.lists[match[1]]), template.text)
        # Choices may hold lists, never choices, so one pass each is enough.
        text = clean(_CHOICE.sub(lambda match: rng.choice(match[1].split("|")), listed))
        if rng.random() < 1 / 3:
            return text.lower()
        return text if text[-1] in ".!?" or rng.random() < 1 / 4 else f"{text}."


def load_grammar(path: Path, signals: Sequence[str]) -> Grammar:
    """Reads a grammar. Raises DatasetUnusable, naming file and line, for an unknown signal or list."""
    lists: dict[str, tuple[str, ...]] = {}
    templates: list[Template] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("@"):
            name, _, choices = line[1:].partition("=")
            lists[name.strip()] = tuple(choice.strip() for choice in choices.split("|"))
            continue
        head, separator, text = line.partition(" : ")
        names = tuple(name for name in head.split() if name != SILENCE)
        unknown = [name for name in names if name not in signals]
        unknown += [f"@{name}" for name in _LIST.findall(text) if name not in lists]
        if not separator or unknown:
            raise DatasetUnusable(path, f"line {number}: {'unknown ' + ', '.join(unknown) if unknown else 'no text'}")
        templates.append(Template(names, text))
    return Grammar(tuple(templates), lists)


def spell_all(grammar: Grammar, each: int, seed: int) -> list[tuple[str, int]]:
    """Returns up to `each` different sentences of every template, as (sentence, index of its template)."""
    rng = random.Random(seed)
    sentences: list[tuple[str, int]] = []
    for index, template in enumerate(grammar.templates):
        spelled = dict.fromkeys(grammar.spell(template, rng) for _ in range(each))
        sentences += [(sentence, index) for sentence in spelled]
    return sentences
