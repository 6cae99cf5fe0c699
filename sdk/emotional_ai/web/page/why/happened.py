"""The events of a log as rows, each with what it did at its moment."""

from collections.abc import Iterable, Mapping
from typing import Final, TypedDict

from emotional_ai.causes import at_once
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page.live.points import title
from emotional_ai.web.page.written import minus

OTHERWISE: Final[Mapping[str | None, str]] = {
    "created": "The beginning cannot be thought away.",
    "continued": "What came before was let go, and cannot be thought away.",
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


def _row(entry: pb.LogEntry, did: pb.EntryContribution | None) -> Row:
    return Row(
        sequence=entry.sequence,
        time=entry.time.ToNanoseconds() / 1e6,
        title=title(entry),
        note=entry.stimulus.note,
        moved="" if did is None else minus(at_once(did)),
        fixed=OTHERWISE.get(entry.WhichOneof("effect"), ""),
    )
