"""Rules of a guard from a TOML file.

    [[rule]]
    name = "self-harm"                 # what clients are told, lower case
    words = ["kill|hurt myself"]       # phrases, see phrase.py
    beside = []                        # if any: one of them must stand in the same sentence
    unless = ["hurt myself laughing"]  # what means something else, taken out first
    intensity = 0.2                    # the most that is expressed, 0..1
    turns = 3                          # further turns of the conversation it stays so, 0..64
    minutes = 30                       # minutes the session stays so, 0..10080
    disclosure = "..."                 # what the person should be told, if anything

`name`, `words` and `intensity` are needed.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

from emotional_ai_service.safeguard.phrase import Phrase
from emotional_ai_service.safeguard.rules import MOST_MINUTES, MOST_TURNS, Rule
from emotional_ai_service.toml_file import TomlUnusable, parsed, read_toml, table_of

MOST_RULES: Final = 64
MOST_PHRASES: Final = 256
"""In one list of a rule."""
LARGEST_FILE: Final = 256 * 1024
LONGEST_DISCLOSURE: Final = 1_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_KEYS: Final = ("name", "words", "beside", "unless", "intensity", "turns", "minutes", "disclosure")

T = TypeVar("T")


class RulesUnusable(ValueError):
    """A file holds no rules: says which of them, what is wrong and what is allowed."""


def rules_from(path: Path) -> tuple[Rule, ...]:
    """The rules in a file. Raises RulesUnusable, naming the file, for one that cannot be read or holds none."""
    try:
        return rules_of(read_toml(path, LARGEST_FILE), str(path))
    except TomlUnusable as error:
        raise RulesUnusable(f"{path} {error}") from error


@cache
def built_in() -> tuple[Rule, ...]:
    """The rules for English that come with the service."""
    name = "built_in.toml"
    return rules_of(parsed(files("emotional_ai_service.safeguard").joinpath(name).read_text("utf-8")), name)


def rules_of(document: dict[str, Any], where: str) -> tuple[Rule, ...]:
    """The rules of a file called `where`. Raises RulesUnusable."""
    tables = document.get("rule")
    if set(document) != {"rule"} or not isinstance(tables, list) or not 1 <= len(tables) <= MOST_RULES:
        raise RulesUnusable(f"{where} must hold 1 to {MOST_RULES} tables [[rule]], and nothing else")
    rules = tuple(_rule(table, f"{where}, rule {number}") for number, table in enumerate(tables, start=1))
    names = [rule.name for rule in rules]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RulesUnusable(f"{where} has two rules called {twice}; give each a name of its own")
    return rules


def _rule(given: object, where: str) -> Rule:
    try:
        table = table_of(given, _KEYS)
    except TomlUnusable as error:
        raise RulesUnusable(f"{where} {error}") from error

    def read(name: str, by: Callable[[object], T], otherwise: T | None = None) -> T:
        if name not in table:
            if otherwise is None:
                raise RulesUnusable(f"{where} has no {name}")
            return otherwise
        try:
            return by(table[name])
        except ValueError as error:
            raise RulesUnusable(f"{where}, {name} {error}") from error

    none: tuple[Phrase, ...] = ()
    return Rule(
        name=read("name", _name),
        words=read("words", _phrases),
        beside=read("beside", _phrases, none),
        unless=read("unless", _phrases, none),
        intensity=read("intensity", lambda value: _number(value, 1)),
        turns=read("turns", _turns, 0),
        minutes=read("minutes", lambda value: _number(value, MOST_MINUTES), 0.0),
        disclosure=read("disclosure", _disclosure, ""),
    )


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"must be 1 to 64 lower-case letters, digits, - and _, got {value!r}")
    return value


def _phrases(value: object) -> tuple[Phrase, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_PHRASES:
        raise ValueError(f"must be a list of 1 to {MOST_PHRASES} phrases")
    return tuple(map(_phrase, value))


def _phrase(value: object) -> Phrase:
    if not isinstance(value, str):
        raise ValueError(f"must hold phrases in quotes, got {value!r}")
    try:
        return Phrase.read(value)
    except ValueError as error:
        raise ValueError(f"{value[:80]!r}: {error}") from error


def _number(value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"must be a number in [0, {most:g}], got {value!r}")
    return float(value)


def _turns(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TURNS:
        raise ValueError(f"must be a whole number in [0, {MOST_TURNS}], got {value!r}")
    return value


def _disclosure(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= LONGEST_DISCLOSURE:
        raise ValueError(f"must be a text of 1 to {LONGEST_DISCLOSURE} characters")
    return " ".join(value.split())
