"""Runs the command line in this process, as a user would call it."""

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from emotional_ai.cli import app


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """Standard output as JSON, one object per line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`emotional-ai --target ADDRESS`."""

    address: str

    def __call__(self, *arguments: str, stdin: str | bytes = "") -> Ran:
        result = CliRunner().invoke(app, ["--target", self.address, *arguments], input=stdin, catch_exceptions=False)
        return Ran(result.exit_code, result.stdout, result.stderr)
