"""Small pictures of curves over one common time; browser components draw them (index.js), Python says what is in them.

A component that shows some is declared with `esm=ESM`, imports `Lines` from "emotional-ai-lines", and its page has STYLE.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypedDict

from emotional_ai.web.page import colours, written

__all__ = ["ESM", "STYLE", "Line", "Picture", "Pictures", "line"]

HERE: Final = Path(__file__).parent
ESM: Final = {"emotional-ai-lines": str(HERE)} | written.ESM
STYLE: Final = HERE / "lines.css"
DIGITS: Final = 4


class Line(TypedDict):
    """A curve: a value at each time; a faint one is there to compare that of the same name with."""

    name: str
    colour: str
    on_dark: str
    dash: str
    faint: bool
    values: list[float]


class Picture(TypedDict):
    """Curves over one another."""

    title: str
    lines: list[Line]


class Pictures(TypedDict):
    """Pictures side by side; times in ms since 1970 if `unit` is "clock", in simulated minutes if it is "minutes"."""

    unit: str
    times: list[float]
    pictures: list[Picture]


def line(chemical: str, values: Sequence[float], *, name: str = "", dash: str = "", faint: bool = False) -> Line:
    """The curve of a chemical in its colour and, unless another is named, its pattern."""
    return Line(
        name=name or chemical,
        colour=colours.CHEMICALS[chemical],
        on_dark=colours.ON_DARK[chemical],
        dash=dash or colours.DASHES[chemical],
        faint=faint,
        values=[round(value, DIGITS) for value in values],
    )
