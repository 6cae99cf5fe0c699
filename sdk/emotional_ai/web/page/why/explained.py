"""What moved which chemical by how much, as a table and as stacked bars, whose parts add up to the change."""

import math
from collections.abc import Sequence
from typing import Final, TypedDict

from emotional_ai import names
from emotional_ai.causes import RESETS, parts
from emotional_ai.stimuli import CHEMICALS, SIGNALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page import colours
from emotional_ai.web.page.written import minus

SHOWN: Final = 1000
"""Numbers are shown in thousandths of a level."""


class Segment(TypedDict):
    """A piece of a bar, from `low` to `high` in levels of change; what lowers a level lies below 0."""

    part: str
    low: float
    high: float


class Change(TypedDict):
    """How one chemical moved; numbers as they are shown."""

    chemical: str
    before: str
    after: str
    change: str
    moved: float
    segments: list[Segment]


class Part(TypedDict):
    """One cause: a signal, itself or sustained, or what the chemistry did by itself."""

    name: str
    colour: str
    texture: str
    """Classes of the style sheet: no two causes have colour and texture in common."""
    shown: list[str]
    """A number per chemical, in order of the contract."""


class Explanation(TypedDict):
    """An explanation as the browser shows it."""

    began: float
    ended: float
    minutes: float
    was: str
    became: str
    changes: list[Change]
    parts: list[Part]


def explained(told: pb.ExplainResponse) -> Explanation:
    """An explanation in parts; for every chemical `before`, the parts and `after` add up as they are shown."""
    every = parts(told)
    before, after = names.levels(told.before.chemistry), names.levels(told.after.chemistry)
    columns = {
        name: apportioned([moved[name] for moved in every.values()], thousandths(before[name], after[name]))
        for name in CHEMICALS
    }
    return Explanation(
        began=told.before.time.ToNanoseconds() / 1e6,
        ended=told.after.time.ToNanoseconds() / 1e6,
        minutes=told.after.simulated_minutes - told.before.simulated_minutes,
        was=names.label(told.before.label),
        became=names.label(told.after.label),
        changes=[
            _change(name, before[name], after[name], {part: moved[name] for part, moved in every.items()})
            for name in CHEMICALS
        ],
        parts=[_part(part, [columns[name][row] for name in CHEMICALS]) for row, part in enumerate(every)],
    )


def apportioned(values: Sequence[float], total: int) -> list[int]:
    """Values as whole thousandths that add up to `total`; none is off by more than needed (largest remainders)."""
    floors = [math.floor(value * SHOWN) for value in values]
    each, rest = divmod(total - sum(floors), len(floors))
    by_remainder = sorted(range(len(values)), key=lambda index: floors[index] - values[index] * SHOWN)
    raised = set(by_remainder[:rest])
    return [floor + each + (index in raised) for index, floor in enumerate(floors)]


def stacked(by: dict[str, float]) -> list[Segment]:
    """What raised a level piled up from 0, the largest first, and what lowered it piled down; their sum is the change."""
    segments: list[Segment] = []
    high = low = 0.0
    for part, moved in sorted(by.items(), key=lambda one: -abs(one[1])):
        if moved > 0:
            segments.append(Segment(part=part, low=high, high=high + moved))
            high += moved
        elif moved < 0:
            segments.append(Segment(part=part, low=low + moved, high=low))
            low += moved
    return segments


def signed(thousandths: int) -> str:
    """Such as "+0.012", or "−0.003" with a minus sign that is one."""
    return minus(f"{thousandths / SHOWN:+.3f}") if thousandths else "0"


def level(value: float) -> str:
    """A level as it is shown, rounded as `thousandths` does."""
    return f"{round(value * SHOWN) / SHOWN:.3f}"


def thousandths(before: float, after: float) -> int:
    """The difference of two levels as it reads once both are shown in thousandths."""
    return round(after * SHOWN) - round(before * SHOWN)


def look(cause: str) -> tuple[str, str]:
    """The colour and the texture of a cause: six colours go round the twelve signals, plain and striped."""
    if cause not in SIGNALS:
        return colours.BY_ITSELF, "crossed" if cause == RESETS else ""
    place = SIGNALS.index(cause)
    return colours.SIGNALS[place % len(colours.SIGNALS)], "striped" if place >= len(colours.SIGNALS) else ""


def _change(name: str, before: float, after: float, by: dict[str, float]) -> Change:
    return Change(
        chemical=name,
        before=level(before),
        after=level(after),
        change=signed(thousandths(before, after)),
        moved=after - before,
        segments=stacked(by),
    )


def _part(name: str, column: Sequence[int]) -> Part:
    cause, _, sustained = name.partition(" (")
    colour, texture = look(cause)
    return Part(
        name=name.replace("_", " "),
        colour=colour,
        texture=f"{texture} held" if sustained else texture,
        shown=[signed(n) for n in column],
    )
