"""Runs a command, such as the tests, and lets the agent feel how it went.

    python examples/feel_tests.py [--session ID] [--target HOST:PORT] -- COMMAND...

The command has the terminal as if it had been called by itself, and its exit status is kept. If it ends well, that is an
achievement and a relief; if not, a loss and, for the frustration, a little anger. A run that is interrupted says nothing about
the tests, so nothing is felt. Needs a running service, of which it makes the session if there is none; without one the command
runs all the same.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from emotional_ai import (
    AlreadyExists,
    Client,
    DeadlineExceeded,
    EmotionalAIError,
    NotFound,
    Signals,
    Stimulus,
    Unavailable,
)
from emotional_ai.connection import DEFAULT_TARGET, start_command
from emotional_ai.names import DEFAULT_SESSION, label, signals

PASSED = Signals(achievement=0.6, relaxation=0.3)
FAILED = Signals(loss=0.6, conflict=0.2)
PATIENCE = 5.0
"""Seconds the service has to take the update: a test run is not held up by a mood."""
HANDLED = (signal.SIGINT, signal.SIGTERM)
"""Signals that interrupt a run; one that ends in another, such as a segmentation fault, has failed."""
LONGEST_NOTE = 256
"""Characters of a note in a session's log."""


@dataclass
class Run:
    """A command under way, and the signals that came for it."""

    process: "subprocess.Popen[bytes] | None" = None
    came: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    """Signals to be passed on that came before there was a process."""

    def begin(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Starts the command."""
        self.process = subprocess.Popen(command)
        while self.kept:
            self.process.send_signal(self.kept.pop(0))
        return self.process

    def interrupted(self, number: int, _: FrameType | None) -> None:
        """A terminal sends Ctrl-C to the command too; what comes to this process alone is passed on."""
        self.came.append(number)
        if number == signal.SIGINT:
            return
        if self.process is None:
            self.kept.append(number)
        else:
            self.process.send_signal(number)


@contextmanager
def heard(run: Run) -> Iterator[None]:
    """The command decides what a signal means, not this program."""
    before = {number: signal.signal(number, run.interrupted) for number in HANDLED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def note(command: Sequence[str], status: int) -> str:
    """What happened, for the session's log: the command, cut where it is too long, and how it ended."""
    outcome = "passed" if status == 0 else f"failed with status {status}"
    told = shlex.join(command).encode(errors="replace").decode()
    room = LONGEST_NOTE - len(outcome) - 1
    shown = told if len(told) <= room else f"{told[: room - 3]}..."
    return f"{shown} {outcome}"


def feel(target: str, session_id: str, what: Signals, why: str) -> str:
    """Lets the session feel it, and says how it feels now. Raises what the client raises."""
    stimulus = Stimulus(event=what, note=why)
    with Client(target) as client:
        try:
            moved = client.apply_stimuli(session_id, [stimulus], timeout=PATIENCE)
        except NotFound:
            make(client, session_id)
            moved = client.apply_stimuli(session_id, [stimulus], timeout=PATIENCE)
    told = ", ".join(f"{name} {value:.1f}" for name, value in signals(what).items())
    return f"{session_id} felt {told}: {label(moved.state.label)} now"


def make(client: Client, session_id: str) -> None:
    """Makes a session, unless somebody else just did."""
    try:
        client.create_session(session_id, timeout=PATIENCE)
    except AlreadyExists:
        return


def say(line: str) -> None:
    """One line on standard error; standard output is the command's."""
    print(f"feel_tests: {' '.join(line.split())}", file=sys.stderr)


def finished(command: Sequence[str]) -> tuple[int, bool]:
    """Runs a command; its exit status, 128 and more for a signal as a shell has it, and whether it was interrupted."""
    run = Run()
    with heard(run):
        status = run.begin(command).wait()
    return status if status >= 0 else 128 - status, bool(run.came) or -status in HANDLED


def main(arguments: Sequence[str]) -> int:
    """Runs, feels, and returns the command's exit status."""
    parser = argparse.ArgumentParser(usage="%(prog)s [--session ID] [--target HOST:PORT] -- COMMAND...")
    parser.add_argument("--session", default=DEFAULT_SESSION, help="who feels it (default: %(default)s)")
    parser.add_argument(
        "--target",
        default=os.environ.get("EMOTIONAL_AI_TARGET", DEFAULT_TARGET),
        help="the service (default: %(default)s)",
    )
    own, command = divided(arguments)
    given = parser.parse_args(own)
    if not command:
        parser.error("name the command after --")
    try:
        status, interrupted = finished(command)
    except OSError as error:
        say(f"{command[0]} cannot be run: {error.strerror}")
        return 127 if isinstance(error, FileNotFoundError) else 126
    if interrupted:
        say("the command was interrupted; nothing is felt")
        return status
    try:
        say(feel(given.target, given.session, FAILED if status else PASSED, note(command, status)))
    except Unavailable as error:
        start = start_command(given.target)
        say(str(error) if error.reason else f"no engine answers at {given.target}, nothing is felt; start one: {start}")
    except DeadlineExceeded:
        say(f"{given.target} did not answer within {PATIENCE:g} s; {given.session} may have felt it all the same")
    except EmotionalAIError as error:
        say(f"nothing is felt: {error}")
    except KeyboardInterrupt:
        say(f"interrupted while {given.session} was told; it may have felt it all the same")
    return status


def divided(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is before the first -- and what follows it."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return list(arguments[:at]), list(arguments[at + 1 :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
