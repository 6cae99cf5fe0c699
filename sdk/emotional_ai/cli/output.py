"""What commands print: results on standard output, notes and errors on standard error, nothing but text in either."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import typer

from emotional_ai.credentials import TOKEN
from emotional_ai.errors import EmotionalAIError

Record = dict[str, object]
"""A JSON object about to be printed."""

HINTS: Final = {
    "SESSION_NOT_FOUND": "`emotional-ai sessions list` shows those there are, `emotional-ai sessions create ID` makes one",
    "UNKNOWN_ADAPTER": "`emotional-ai adapters` lists those there are",
    "JOB_NOT_FOUND": "`emotional-ai jobs list` shows those there are",
    "NO_TOKEN": f"give --token before the command, or {TOKEN} in the environment; `emotional-ai tokens add` makes one",
    "TOKEN_UNKNOWN": f"check --token or {TOKEN}; it may be mistyped, rotated or revoked",
    "TOKEN_EXPIRED": f"put another into --token or {TOKEN}; `emotional-ai tokens add` makes one",
    "SCOPE_MISSING": f"use a token that has it, as --token or {TOKEN}",
    "JOB_NOT_RESUMABLE": "`emotional-ai jobs show ID` tells how it stands, `emotional-ai jobs start` begins anew",
}
"""What a user of the command line does about an error whose message speaks of rpcs, by reason."""


STEERING: Final = re.compile("[\x7f-\x9f]")
"""Control characters that JSON lets stand as they are."""


class CommandFailed(Exception):
    """A command cannot do what was asked; the message says what, where and what to do. Ends with status 1."""


def say(text: str = "") -> None:
    """Prints a line of the result."""
    typer.echo(text)


def note(text: str) -> None:
    """Prints a line beside the result."""
    typer.echo(text, err=True)


def emit(record: Record) -> None:
    """Prints a JSON object as one line."""
    typer.echo(compact(record))


def compact(record: Record) -> str:
    """A JSON object on one line; a number JSON cannot express raises ValueError."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def told(error: EmotionalAIError) -> str:
    """An error of the client as one message, with what a user of the command line can do."""
    hint = HINTS.get(error.reason)
    return f"{error.message.partition(';')[0]}; {hint}" if hint else str(error)


def printable(text: str) -> str:
    """Text without control characters, which could steer a terminal; line breaks and tabs stay."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns two spaces apart, the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
