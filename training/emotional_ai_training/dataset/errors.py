"""What the preparation of training data refuses.

DatasetError
+-- MalformedRow      a row of a prepared file that is not what the schema says
+-- DataUnreadable    a prepared file that cannot be read, or holds no rows
+-- UnknownState      a state that no adapter is trained for
+-- NothingLeft       an option that asks for nothing, or a filter that left nothing
+-- TargetUnwritable  a place the prepared file cannot be written to

A content, data or dialogue file that cannot be used raises `emotions.DatasetUnusable`, naming file and line.
"""

from collections.abc import Sequence
from pathlib import Path

from emotional_ai_training.conditioning import ADAPTERS


class DatasetError(Exception):
    """Base of what this package raises on purpose."""


class MalformedRow(DatasetError):
    """A row of a prepared file that is not what the schema says; `line` counts from 1."""

    def __init__(self, path: Path, line: int, field: str, problem: str) -> None:
        super().__init__(f"{path}: line {line}: {field}: {problem}")
        self.path = path
        self.line = line
        self.field = field


class DataUnreadable(DatasetError):
    """A prepared file that cannot be read, or holds no rows."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}; `emotional-ai train prepare` writes such a file")
        self.path = path


class UnknownState(DatasetError):
    """A state that no adapter is trained for."""

    def __init__(self, state: str) -> None:
        super().__init__(f"there is no state {state!r}; the states are {', '.join(ADAPTERS)}")
        self.state = state


class NothingLeft(DatasetError):
    """No row is left for a state; the message tells what was dropped and why."""

    def __init__(self, state: str, reasons: Sequence[str]) -> None:
        why = "; ".join(reasons) or "none was asked for"
        super().__init__(f"no training row is left for {state}: {why}")
        self.state = state


class TargetUnwritable(DatasetError):
    """A place the prepared file cannot be written to."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: cannot be written: {problem}")
        self.path = path
