"""Commands that the other packages of the distribution add, found by entry points and loaded when they are asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer

GROUP: Final = "emotional_ai.commands"
EXTRAS: Final[Mapping[str, str]] = {"service": "local", "doctor": "cli", "training": "training"}
"""The extra that brings what a package's commands need, by name of its entry point."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A package whose commands cannot be loaded."""

    name: str
    """Name of its entry point."""
    reason: str

    def __str__(self) -> str:
        extra = EXTRAS.get(self.name)
        advice = f"; install it with: pip install 'emotional-ai[{extra}]'" if extra else ""
        return f"the commands of `{self.name}` cannot be loaded ({self.reason}){advice}"


@dataclass(frozen=True, slots=True)
class Joined:
    """What was found."""

    commands: Mapping[str, Any]
    """Commands by name, as typer makes them."""
    absent: tuple[Absent, ...]


def joined(points: Iterable[EntryPoint] | None = None) -> Joined:
    """Loads the commands of every package; one that lacks a dependency is reported, not hidden."""
    commands: dict[str, Any] = {}
    absent: list[Absent] = []
    for point in entry_points(group=GROUP) if points is None else points:
        try:
            loaded: typer.Typer = point.load()
        except ImportError as error:
            absent.append(Absent(point.name, str(error)))
            continue
        commands |= typer.main.get_group(loaded).commands
    return Joined(commands, tuple(absent))
