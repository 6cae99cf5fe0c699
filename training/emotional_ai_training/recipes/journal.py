"""Files of one JSON object a line, and small files replaced whole: a process killed at any moment leaves them readable."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emotional_ai_training.recipes.errors import RunDamaged, RunUnwritable
from emotional_ai_training.whole_files import write_whole


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The lines that were written whole; a torn last line is removed, as if it had not been written.

    This and the other functions raise RunUnwritable, naming the file's directory. Raises RunDamaged for a line that is no
    object.
    """
    if not file.is_file():
        return []
    text = file.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        replace_text(file, whole.decode(errors="surrogateescape"))
    return [read_object(file, line, f"line {number}") for number, line in enumerate(whole.split(b"\n")[:-1], start=1)]


def read_object(file: Path, text: bytes, part: str = "it") -> dict[str, Any]:
    """The JSON object that a part of a file is. Raises RunDamaged."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunDamaged(file, f"{part} is not JSON") from error
    if not isinstance(value, dict):
        raise RunDamaged(file, f"{part} is no JSON object")
    return value


def append_line(file: Path, value: Mapping[str, Any]) -> None:
    """Adds one line and returns once it is on disk."""
    with writable(file.parent), file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(value) + "\n")
        out.flush()
        os.fsync(out.fileno())


def replace_text(file: Path, text: str) -> None:
    """Gives the file that text in one step."""
    with writable(file.parent):
        write_whole(file, text.encode(errors="surrogateescape"))


@contextmanager
def writable(directory: Path) -> Iterator[None]:
    """Raises RunUnwritable, naming `directory`, for what the system refuses."""
    try:
        yield
    except OSError as error:
        raise RunUnwritable(directory, error) from error
