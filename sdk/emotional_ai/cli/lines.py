"""A conversation whose turns are the lines of a stream: for pipes, scripts and tests."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import typer

from emotional_ai import names
from emotional_ai.cli import figures
from emotional_ai.cli.output import CommandFailed, emit, note, printable, say, told
from emotional_ai.cli.talk import Conversation, Turn, turn_record
from emotional_ai.errors import EmotionalAIError, Unavailable
from emotional_ai.limits import LONGEST_TEXT

INDENT = " " * len("agent: ")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of input, without its end."""

    number: int
    """From 1."""
    text: str | None
    """None if the bytes are not UTF-8."""


def decoded(stream: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a stream as they come, a byte order mark before the first left out."""
    for number, raw in enumerate(stream, start=1):
        try:
            yield Line(number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n"))
        except UnicodeDecodeError:
            yield Line(number, None)


class Printer:
    """Prints pieces of a reply as they come, later lines of it indented."""

    def __init__(self) -> None:
        self._begun = False

    def __call__(self, piece: str) -> None:
        text = printable(piece).replace("\n", "\n" + INDENT)
        typer.echo(text if self._begun else f"agent: {text}", nl=False)
        self._begun = True

    def end(self) -> None:
        """Ends the line, if one was begun."""
        if self._begun:
            say()
        self._begun = False


def converse_in_json(open_conversation: Callable[[Callable[[str], None]], Conversation], lines: Iterable[Line]) -> None:
    """Prints one object per turn; of a turn that fails `user` and `error`. Raises CommandFailed at the end if one did."""
    conversation = open_conversation(lambda _: None)

    def failed(line: Line, message: str) -> None:
        emit({"user": line.text, "error": message})

    _each(lines, lambda text: emit(turn_record(conversation.turn(text))), failed)


def converse_in_text(open_conversation: Callable[[Callable[[str], None]], Conversation], lines: Iterable[Line]) -> None:
    """Prints what is said, and after each turn the state on a line. Raises CommandFailed at the end if a turn failed."""
    printer = Printer()
    conversation = open_conversation(printer)

    def one(text: str) -> None:
        say(f"you: {printable(text)}")
        try:
            turn = conversation.turn(text)
            if not turn.reply:
                printer("")
        finally:
            printer.end()
        say(summary(turn))

    _each(lines, one, lambda *_: None)


def _each(lines: Iterable[Line], one: Callable[[str], None], failed: Callable[[Line, str], None]) -> None:
    """Carries out a turn for each line that is not blank, in order, whatever became of the ones before."""
    failures: list[int] = []
    turn = 0
    for line in lines:
        if line.text is not None and not line.text.strip():
            continue
        turn += 1
        try:
            if line.text is None:
                raise CommandFailed(f"line {line.number} of the input is not UTF-8 text")
            if len(line.text) > LONGEST_TEXT:
                raise CommandFailed(
                    f"line {line.number} of the input has {len(line.text)} characters; a turn has at most {LONGEST_TEXT}"
                )
            if line.text.startswith("/"):
                note(
                    f"note: line {line.number} of the input is said to the agent as it is; commands are for a terminal"
                )
            one(line.text)
        except Unavailable as error:
            if not error.reason:  # nobody is there to take the other turns
                note(f"turn {turn} failed, and the lines after it were not read")
                raise
            _failed(turn, line, told(error), failures, failed)
        except EmotionalAIError as error:
            _failed(turn, line, told(error), failures, failed)
        except CommandFailed as error:
            _failed(turn, line, str(error), failures, failed)
    if failures:
        which = ", ".join(map(str, failures))
        raise CommandFailed(f"{len(failures)} of {turn} turns failed: {which}")


def _failed(turn: int, line: Line, message: str, failures: list[int], failed: Callable[[Line, str], None]) -> None:
    note(f"error: turn {turn}: {message}")
    failed(line, message)
    failures.append(turn)


def summary(turn: Turn) -> str:
    """A turn's state, voice and signals on one line."""
    heard = figures.named(names.signals(turn.appraisal.signals))
    applied = turn.finished.applied
    return (
        f"state: {figures.state_line(turn.started.state)} | temperature {applied.temperature:.2f} "
        f"top_p {applied.top_p:.2f} | spoken by {figures.spoken(applied)} | heard {heard}"
    )
