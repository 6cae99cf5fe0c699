"""Levels over time in characters: a braille cell holds two columns of four dots."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.text import Text

BLANK: Final = 0x2800
DOTS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille cell, from the top, by column."""
REST: Final = "┄"
EVENT: Final = "┊"


@dataclass(frozen=True, slots=True)
class Curve:
    """A level in [0, 1] at moments in seconds, in order."""

    times: Sequence[float]
    levels: Sequence[float]

    def at(self, moment: float) -> float | None:
        """The level between the two nearest moments; None outside of all."""
        after = bisect_right(self.times, moment)
        if after == 0 or moment > self.times[-1]:
            return None
        if after == len(self.times):
            return self.levels[-1]
        since, until = self.times[after - 1], self.times[after]
        share = (moment - since) / (until - since)
        return self.levels[after - 1] + share * (self.levels[after] - self.levels[after - 1])


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, `seconds` up to `end`, over so many columns of characters."""

    end: float
    seconds: float
    columns: int

    def moments(self) -> list[float]:
        """The moment of each column of dots, two a character, the last one at the end."""
        dots = 2 * self.columns
        return [self.end - self.seconds * (dots - 1 - dot) / (dots - 1) for dot in range(dots)]

    def column(self, moment: float) -> int | None:
        """The column of characters a moment falls into; None outside."""
        dots = 2 * self.columns
        dot = round((dots - 1) * (1 - (self.end - moment) / self.seconds))
        return dot // 2 if 0 <= dot < dots else None


@dataclass(frozen=True, slots=True)
class Look:
    """How a curve is told from the others."""

    mark: str
    colour: str


def lane(curve: Curve, baseline: float, window: Window, rows: int, events: Collection[int], look: Look) -> list[Text]:
    """A curve over a window in `rows` lines, from 1 above to 0 below.

    Where there is no curve the line of the baseline shows, and a thin upright one in the columns of `events`; the newest level
    carries the mark.
    """
    levels = [curve.at(moment) for moment in window.moments()]
    cells = braille(levels, rows)
    rest = _dot(baseline, rows) // 4
    head = None if levels[-1] is None else _dot(levels[-1], rows) // 4
    lines = []
    for row in range(rows):
        line = [_cell(cell, column in events, row == rest, look) for column, cell in enumerate(cells[row])]
        if row == head:
            line[-1] = (look.mark, f"bold {look.colour}")
        lines.append(_text(line))
    return lines


def braille(levels: Sequence[float | None], rows: int) -> list[str]:
    """Levels in [0, 1], two a character, as lines of braille; neighbours are joined, None leaves a gap."""
    cells = [[BLANK] * (len(levels) // 2) for _ in range(rows)]
    before: int | None = None
    for column, level in enumerate(levels):
        here = None if level is None else _dot(level, rows)
        for dot in () if here is None else _joined(before, here):
            cells[dot // 4][column // 2] |= DOTS[column % 2][dot % 4]
        before = here
    return ["".join(map(chr, row)) for row in cells]


def _dot(level: float, rows: int) -> int:
    """The dot of a level, counted from the top."""
    return round((1 - min(max(level, 0.0), 1.0)) * (4 * rows - 1))


def _joined(before: int | None, here: int) -> range:
    """The dots that lead from the one before to here, here included."""
    if before is None or before == here:
        return range(here, here + 1)
    return range(before + 1, here + 1) if before < here else range(here, before)


def _cell(cell: str, event: bool, rest: bool, look: Look) -> tuple[str, str]:
    """A character and its style."""
    if cell != chr(BLANK):
        return cell, look.colour
    return (EVENT if event else REST if rest else " "), "dim"


def _text(cells: Iterable[tuple[str, str]]) -> Text:
    """Characters as text, neighbours of one style in one piece."""
    text = Text(no_wrap=True)
    for style, run in groupby(cells, key=lambda cell: cell[1]):
        text.append("".join(character for character, _ in run), style=style)
    return text
