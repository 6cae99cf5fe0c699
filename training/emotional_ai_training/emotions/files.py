"""Files that a user brings: their bytes as text, and what they hold as a complaint shows it."""

from pathlib import Path
from typing import Final

from emotional_ai_training.emotions.errors import DatasetUnusable

MOST_SHOWN: Final = 80
"""Characters of a value that a complaint repeats."""


def decoded(path: Path, content: bytes) -> str:
    """The text of a file, without the mark that Excel begins it with. Raises DatasetUnusable, naming the line, if not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        *lines, begun = error.object[: error.start].split(b"\n")  # error.object lacks the mark
        problem = f"line {len(lines) + 1}: not UTF-8: {error.reason} at byte {len(begun)}; save the file as UTF-8"
        raise DatasetUnusable(path, problem) from error


def shown(value: object) -> str:
    """How a complaint shows a value: as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
