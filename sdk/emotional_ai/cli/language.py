"""appraise: which signals lines of text carry."""

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final

import typer

from emotional_ai.cli import records
from emotional_ai.cli.files import standard_input
from emotional_ai.cli.lines import Line, decoded
from emotional_ai.cli.output import CommandFailed, emit, note
from emotional_ai.cli.reach import Target, connected
from emotional_ai.client import Client
from emotional_ai.errors import InvalidArgument
from emotional_ai.limits import LONGEST_TEXT
from emotional_ai.v1.inference_pb2 import Appraisal

BATCH: Final = 256
"""Texts the contract lets a request carry."""
BATCH_BYTES: Final = 2 * 1024 * 1024
"""Bytes of text in a request, well below the 4 MiB a message may have."""
AHEAD: Final = 4 * BATCH
"""Lines read ahead of the service."""
SECONDS: Final = 300.0
"""How long one batch may take on a slow machine."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(appraise)


def appraise(
    ctx: typer.Context,
    _json: Annotated[bool, typer.Option("--json", help="Print JSON, which this command always does.")] = False,
    target: Target = None,
) -> None:
    """Read lines of text and print, in order, an object for each: text, classified, signals (those that are not 0), valence,
    confidence, emotions. Each line is appraised by itself. A blank line carries nothing and is answered so. Of a line that
    cannot be appraised the object has text and error; the others go on, and the command ends with status 1.
    """
    # A reader of its own: the interpreter could not end while a thread waits inside sys.stdin.
    stdin = open(standard_input().fileno(), "rb", closefd=False)  # noqa: SIM115
    read = 0
    failed: list[int] = []
    with connected(ctx, target) as client:
        for batch in Arrivals(decoded(stdin)):
            read += len(batch)
            found = _appraised(client, [line for line in batch if _fault(line) is None])
            for line in batch:
                outcome = _fault(line) or found[line.number]
                if isinstance(outcome, str):
                    failed.append(line.number)
                    note(f"error: {outcome}")
                    emit({"text": line.text, "error": outcome})
                else:
                    emit(records.appraisal(line.text or "", outcome))
    if failed:
        which = ", ".join(map(str, failed))
        raise CommandFailed(f"{len(failed)} of {read} lines could not be appraised: {which}")


def _fault(line: Line) -> str | None:
    """Why a line is not sent, if it cannot be."""
    if line.text is None:
        return f"line {line.number} of the input is not UTF-8 text"
    if len(line.text) > LONGEST_TEXT:
        return f"line {line.number} has {len(line.text)} characters; a text has at most {LONGEST_TEXT}"
    return None


def _appraised(client: Client, lines: Sequence[Line]) -> dict[int, Appraisal | str]:
    """By its number the appraisal of each line, or why the service refuses it."""
    texts = {line.number: line.text for line in lines if line.text and line.text.strip()}
    blank: dict[int, Appraisal | str] = {line.number: Appraisal() for line in lines}
    if not texts:
        return blank
    try:
        return blank | dict(zip(texts, client.appraise(list(texts.values()), timeout=SECONDS), strict=True))
    except InvalidArgument as error:
        if len(texts) == 1:
            return blank | {number: f"line {number} was refused: {error.message}" for number in texts}
    middle = len(lines) // 2
    return _appraised(client, lines[:middle]) | _appraised(client, lines[middle:])


class Arrivals:
    """Lines a thread reads ahead, given out in batches of what is there."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._read: queue.Queue[Line | None] = queue.Queue(AHEAD)
        self._held: Line | None = None
        self._ended = False
        threading.Thread(target=self._fill, args=(lines,), name="emotional-ai input", daemon=True).start()

    def __iter__(self) -> Iterator[list[Line]]:
        while batch := self._batch():
            yield batch

    def _fill(self, lines: Iterable[Line]) -> None:
        try:
            for line in lines:
                self._read.put(line)
        finally:
            self._read.put(None)

    def _batch(self) -> list[Line]:
        """The next lines, at least one unless the input has ended; one that has come is not held back for one that has not."""
        batch: list[Line] = []
        size = 0
        while len(batch) < BATCH and (line := self._next(wait=not batch)) is not None:
            size += len((line.text or "").encode())
            if batch and size > BATCH_BYTES:
                self._held = line
                break
            batch.append(line)
        return batch

    def _next(self, *, wait: bool) -> Line | None:
        """A line; None if there is none now, or none any more."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        if self._ended:
            return None
        try:
            line = self._read.get(block=wait)
        except queue.Empty:
            return None
        self._ended = line is None
        return line
