"""Files that commands read and write. Every failure is a CommandFailed that names the file."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

from emotional_ai.cli.output import CommandFailed

Parsed = TypeVar("Parsed", bound=Message)
Input = Annotated[Path, typer.Argument(metavar="FILE", help="File to read; - reads standard input.", allow_dash=True)]


def named_file(path: Path | None) -> Path | None:
    """A file to write as given. Raises BadParameter for a directory; no name at all is the one the command runs in."""
    if path is not None and path.is_dir():
        raise typer.BadParameter(f"'{path}' is a directory; name a file")
    return path


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark, or of standard input if the path is `-`."""
    try:
        raw = standard_input().read() if str(path) == "-" else path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} is not UTF-8 text: byte {error.start} is wrong") from error


def standard_input() -> BinaryIO:
    """The bytes of standard input. Raises CommandFailed where the command was started without one."""
    if sys.stdin is None:
        raise CommandFailed("standard input is closed; give it a file, a pipe or a terminal")
    return sys.stdin.buffer


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all: what stood there before stays until the new text is on disk.

    What is no regular file, such as a pipe or a device, stays what it is and is written to; so is what a link points to.
    """
    try:
        if _is_channel(path):
            with path.open("w", encoding="utf-8") as channel:
                channel.write(text)
        else:
            _replace(Path(os.path.realpath(path)), text)
    except OSError as error:
        raise CommandFailed(f"cannot write {path}: {error.strerror}") from error


def _is_channel(path: Path) -> bool:
    # /dev/stdout is a regular file where the shell redirects to one, which others may be writing to as well
    return path.exists() and (not path.is_file() or path.absolute().parts[1:2] in (("dev",), ("proc",)))


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as fresh:
        try:
            fresh.write(text)
            fresh.flush()
            os.fsync(fresh.fileno())
            Path(fresh.name).replace(path)
        except BaseException:
            Path(fresh.name).unlink(missing_ok=True)
            raise


def parse_message(text: str, message: Parsed, path: Path) -> Parsed:
    """Reads protobuf JSON into `message`."""
    name = "standard input" if str(path) == "-" else path
    what = f"{name} is not the JSON of {message.DESCRIPTOR.name}"
    if not text.lstrip().startswith("{"):  # the parser takes an empty list for an empty message
        raise CommandFailed(f"{what}, which is an object {{...}}")
    try:
        return json_format.Parse(text, message)
    except (json_format.ParseError, RecursionError, ValueError) as error:
        reason = str(error).partition("\n Available Fields")[0]
        raise CommandFailed(f"{what}: {reason}") from error
