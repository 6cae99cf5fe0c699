"""Files that commands read and write. Every failure is a CommandFailed that names the file."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

from emotional_ai.cli.output import CommandFailed

Parsed = TypeVar("Parsed", bound=Message)
Input = Annotated[Path, typer.Argument(metavar="FILE", help="File to read; - reads standard input.", allow_dash=True)]


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, or of standard input if the path is `-`."""
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return raw.decode("utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} is not UTF-8 text: byte {error.start} is wrong") from error


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all: what stood there before stays until the new text is on disk."""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as fresh:
            try:
                fresh.write(text)
                fresh.flush()
                os.fsync(fresh.fileno())
                Path(fresh.name).replace(path)
            except BaseException:
                Path(fresh.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise CommandFailed(f"cannot write {path}: {error.strerror}") from error


def parse_message(text: str, message: Parsed, path: Path) -> Parsed:
    """Reads protobuf JSON into `message`."""
    try:
        return json_format.Parse(text, message)
    except (json_format.ParseError, RecursionError) as error:
        raise CommandFailed(f"{path} is not the JSON of {message.DESCRIPTOR.name}: {error}") from error
