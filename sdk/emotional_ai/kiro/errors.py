"""What keeps an entry from being read or written.

KiroError
+-- SettingsBroken        the file is not what Kiro reads; the message names its line and column
+-- SettingsUnreachable   the file or its folder cannot be read or written
"""

from pathlib import Path
from typing import Self


class KiroError(Exception):
    """An entry cannot be read or written; the message says why and what to do. Nothing was changed."""


class SettingsBroken(KiroError):
    """The file is not what Kiro reads. `line` and `column` count from 1."""

    def __init__(self, path: Path, line: int, column: int, what: str) -> None:
        self.line = line
        self.column = column
        super().__init__(f"{path}:{line}:{column}: {what}; the file is left as it is")

    @classmethod
    def at(cls, path: Path, text: str, index: int, what: str) -> Self:
        """At a character of the text."""
        return cls(path, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index), what)


class SettingsUnreachable(KiroError):
    """The file or its folder cannot be read or written."""
