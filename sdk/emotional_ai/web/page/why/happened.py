"""The events of a log as rows, each with what it did at its moment."""

from collections.abc import Iterable, Mapping
from typing import Final, TypedDict

from emotional_ai import names
from emotional_ai.causes import LEAST_SHOWN
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page.live.points import title

OTHERWISE: Final[Mapping[str | None, str]] = {
    "created": "The beginning cannot be thought away.",
    "configured": "A change of personality cannot be thought away.",
    "reset": "A reset cannot be thought away.",
}
"""Why an entry that is no stimulus has no tick."""


class Row(TypedDict):
    """An entry of the log; text of people is as they wrote it."""

    sequence: int
    time: float
    title: str
    note: str
    moved: str
    fixed: str
    """Why it cannot be thought away; empty if it can."""


def rows(entries: Iterable[pb.LogEntry], told: Iterable[pb.EntryContribution]) -> list[Row]:
    """A row for each entry, in order; `told` says what those among it did that an explanation covers."""
    did = {one.sequence: one for one in told}
    return [_row(entry, did.get(entry.sequence)) for entry in entries]


def moved(did: pb.EntryContribution | None) -> str:
    """What an entry did at its moment, such as "dopamine +0.083, cortisol -0.021"."""
    if did is None:
        return ""
    by = [names.levels(part.events) for part in did.signals]
    total = {name: sum(part[name] for part in by) for name in CHEMICALS}
    return ", ".join(f"{name} {value:+.3f}" for name, value in total.items() if abs(value) >= LEAST_SHOWN)


def _row(entry: pb.LogEntry, did: pb.EntryContribution | None) -> Row:
    return Row(
        sequence=entry.sequence,
        time=entry.time.ToNanoseconds() / 1e6,
        title=title(entry),
        note=entry.stimulus.note,
        moved=moved(did),
        fixed=OTHERWISE.get(entry.WhichOneof("effect"), ""),
    )
