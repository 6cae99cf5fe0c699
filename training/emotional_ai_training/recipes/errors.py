"""What the recipes refuse.

RecipeError
├── SettingRefused     a setting has a value it cannot have
├── TokenizerUnusable  a directory holds no tokenizer that training can use
├── ExampleTooLong     a row has more tokens than a model is trained on at once
├── DataUnusable       the rows leave a recipe without anything to learn
├── RunConflict        a directory holds a run with other settings
├── RunDamaged         a file of a run is not what a run writes
├── RunUnwritable      a directory cannot be written to
├── StateLost          the server no longer has what a run goes on from
└── ExportRefused      an exported adapter is in a form that cannot be used
"""

from collections.abc import Sequence
from pathlib import Path


class RecipeError(Exception):
    """Base of the errors of this package."""


class SettingRefused(RecipeError):
    """A setting has a value it cannot have; the message names the setting and what is allowed."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name} is {value!r}; {allowed}")


class TokenizerUnusable(RecipeError):
    """A directory holds no tokenizer that training can use."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(
            f"{directory} holds no usable tokenizer: {reason}; set MODEL_TOKENIZER to a directory with the base model's"
        )


class ExampleTooLong(RecipeError):
    """A row has more tokens than a model is trained on at once."""

    def __init__(self, row: str, tokens: int, most: int) -> None:
        super().__init__(f"row {row} has {tokens} tokens; at most {most} are allowed")


class DataUnusable(RecipeError):
    """The rows leave a recipe without anything to learn."""


class RunConflict(RecipeError):
    """A directory holds a run with other settings."""

    def __init__(self, directory: Path, differing: Sequence[str]) -> None:
        super().__init__(
            f"{directory} holds a run with other settings ({', '.join(differing)}); "
            "remove it, name another directory, or train with --fresh"
        )


class RunDamaged(RecipeError):
    """A file of a run is not what a run writes."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file} is damaged: {problem}; put a copy in its place, or begin anew with --fresh")


class RunUnwritable(RecipeError):
    """A directory cannot be written to."""

    def __init__(self, directory: Path, error: OSError) -> None:
        super().__init__(f"cannot write to {directory}: {error.strerror or error}")


class StateLost(RecipeError):
    """The server no longer has what a run goes on from: it expired, was deleted, or lies with another server."""

    def __init__(self, path: str, server: str) -> None:
        super().__init__(f"{server} does not have {path}, from which this training goes on; begin anew with --fresh")


class ExportRefused(RecipeError):
    """An exported adapter is in a form that cannot be used for blending."""
