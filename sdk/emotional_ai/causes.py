"""Why a session feels as it does: the parts of an explanation, which add up to the change, and sentences about them."""

from typing import Final

from emotional_ai.names import levels, signal
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb

HOMEOSTASIS: Final = "homeostasis"
RESETS: Final = "resets"
LEAST_SHOWN: Final = 5e-4
"""Least change of a level that does not read as 0.000."""


def parts(told: pb.ExplainResponse) -> dict[str, dict[str, float]]:
    """Change of each chemical by each cause, in levels; their sum is the whole change."""
    every: dict[str, dict[str, float]] = {}
    for one in told.signals:
        for kind, moved in (("", one.events), (" (sustained)", one.sustained)):
            by = levels(moved)
            if any(by.values()):
                every[signal(one.signal) + kind] = by
    every[HOMEOSTASIS] = levels(told.homeostasis)
    if any(levels(told.resets).values()):
        every[RESETS] = levels(told.resets)
    return every


def at_once(entry: pb.EntryContribution) -> str:
    """What an entry of the log did at its moment, such as "dopamine +0.083, cortisol -0.021"; empty if it moved nothing."""
    by = [levels(part.events) for part in entry.signals]
    moved = {name: sum(part[name] for part in by) for name in CHEMICALS}
    return ", ".join(f"{name} {value:+.3f}" for name, value in moved.items() if abs(value) >= LEAST_SHOWN)


def sentences(told: pb.ExplainResponse) -> list[str]:
    """A sentence per chemical, in order of the contract: how it moved, and by what."""
    every = parts(told)
    before, after = levels(told.before.chemistry), levels(told.after.chemistry)
    return [
        sentence(name, before[name], after[name], {part: moved[name] for part, moved in every.items()})
        for name in CHEMICALS
    ]


def sentence(name: str, before: float, after: float, by: dict[str, float]) -> str:
    """A sentence about one chemical; `by` is its change by each cause, in levels."""
    moved = after - before
    told = ", ".join(
        f"{part} {value:+.3f}"
        for part, value in sorted(by.items(), key=lambda one: -abs(one[1]))
        if abs(value) >= LEAST_SHOWN
    )
    if abs(moved) < LEAST_SHOWN:
        return f"{name} did not move from {before:.3f}" + (f": {told}" if told else "")
    verb = "rose" if moved > 0 else "fell"
    causes = told or "no one part by as much as 0.001"
    return f"{name} {verb} by {abs(moved):.3f}, from {before:.3f} to {after:.3f}: {causes}"
