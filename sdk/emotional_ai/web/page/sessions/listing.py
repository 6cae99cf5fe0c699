"""Which sessions of many are shown: those that were searched for, in an order, a page at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self, TypedDict

from emotional_ai.v1.engine_pb2 import SessionSummary

PAGE: Final = 50
"""Sessions shown at a time."""


class Column(Enum):
    """What sessions can be put in order by."""

    ID = "id"
    CREATED = "created"
    UPDATED = "updated"
    ENTRIES = "entries"


ORDER: Final[Mapping[Column, Callable[[SessionSummary], tuple[int | str, ...]]]] = {
    Column.ID: lambda one: (one.session_id,),
    Column.CREATED: lambda one: (one.created_at.ToNanoseconds(), one.session_id),
    Column.UPDATED: lambda one: (one.updated_at.ToNanoseconds(), one.session_id),
    Column.ENTRIES: lambda one: (one.version, one.session_id),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a visitor wants to see."""

    search: str = ""
    """Part of an id, in any case."""
    by: Column = Column.UPDATED
    downwards: bool = True
    page: int = 0
    """From 0."""

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Self:
        """From what a browser sends. Raises ValueError or KeyError for what is none."""
        page = given["page"]
        if not isinstance(page, int):
            raise ValueError(f"a page is a whole number, got {page!r}")
        return cls(str(given["search"]).strip(), Column(given["by"]), bool(given["downwards"]), max(page, 0))


class Row(TypedDict):
    """A session, times in ms since 1970."""

    id: str
    created: float
    updated: float
    entries: int


class Listing(TypedDict):
    """A page of sessions."""

    rows: list[Row]
    first: int
    """Place of the first row among those found, from 0."""
    found: int
    every: int
    page: int
    pages: int


def listing(every: Sequence[SessionSummary], wish: Wish) -> Listing:
    """What of all sessions is shown; a page beyond the last is the last."""
    part = wish.search.casefold()
    found = sorted((one for one in every if part in one.session_id.casefold()), key=ORDER[wish.by])
    if wish.downwards:
        found.reverse()
    pages = max(-(-len(found) // PAGE), 1)
    page = min(wish.page, pages - 1)
    first = page * PAGE
    return Listing(
        rows=[_row(one) for one in found[first : first + PAGE]],
        first=first,
        found=len(found),
        every=len(every),
        page=page,
        pages=pages,
    )


def _row(one: SessionSummary) -> Row:
    return Row(
        id=one.session_id,
        created=one.created_at.ToNanoseconds() / 1e6,
        updated=one.updated_at.ToNanoseconds() / 1e6,
        entries=one.version,
    )
