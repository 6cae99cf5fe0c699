"""What adapters refuse.

AdapterError
+-- AdapterDamaged    a directory that is not a whole adapter: which file, which field, what is wrong
+-- NotPublished      an adapter that could not be put in place; what was there before still is
"""

from pathlib import Path


class AdapterError(Exception):
    """Base of this package's errors."""


class AdapterDamaged(AdapterError):
    """A directory that is not a whole adapter; the message names the file and, for a value, the field."""

    def __init__(self, directory: Path, file: str, problem: str, *, field: str = "") -> None:
        told = f"{directory / file}: {field + ' ' if field else ''}{problem}"
        # What is told may quote a file that holds half a character, which no message could carry.
        super().__init__(told.encode("utf-8", "backslashreplace").decode())
        self.directory = directory
        self.file = file
        self.field = field
        self.problem = problem


class NotPublished(AdapterError):
    """An adapter that could not be put in place; what was there before still is."""
