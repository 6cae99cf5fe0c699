"""What happened, numbered, and how a session would feel had some of it not happened."""

from collections.abc import Iterator, Sequence
from typing import Final

from emotional_ai import names
from emotional_ai.causes import at_once
from emotional_ai.cli import figures
from emotional_ai.cli.output import aligned, printable
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb

LAST: Final = 10
"""Entries that are told, the latest."""


def happened(told: pb.ExplainResponse) -> Iterator[str]:
    """A line for each of the latest entries: its number, what it moved at once, and its note."""
    earlier = len(told.entries) - LAST
    if earlier > 0:
        yield f"({earlier} earlier entries)"
    for one in told.entries[-LAST:]:
        what = ", ".join(names.signal(part.signal) for part in one.signals) or "nothing at once"
        change = at_once(one)
        note = f"  # {' '.join(printable(one.note).split())}" if one.note else ""
        yield f"{one.sequence:>5}  {names.moment(one.time)}  {what}{': ' if change else ''}{change}{note}"


def had_not(told: pb.ReplayCounterfactualResponse, without: Sequence[int]) -> list[str]:
    """How the session feels at the end of a span, and how it would without the entries of these numbers."""
    real, other = told.actual[-1], told.counterfactual[-1]
    levels = names.levels(real.chemistry), names.levels(other.chemistry)
    rows = [
        (name, f"{levels[0][name]:.3f}", f"{levels[1][name]:.3f}", f"{levels[1][name] - levels[0][name]:+.3f}")
        for name in CHEMICALS
    ]
    return [
        f"as it is: {figures.feeling(real)}",
        f"without {', '.join(map(str, without))}: {figures.feeling(other)}",
        aligned([("chemical", "is", "would be", "differs by"), *rows]),
    ]
