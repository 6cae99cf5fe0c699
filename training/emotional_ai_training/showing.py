"""How a complaint shows a value that is not what it should be."""

from typing import Final

MOST_SHOWN: Final = 80
"""Characters of a value that a complaint repeats."""


def shown(value: object) -> str:
    """A value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
