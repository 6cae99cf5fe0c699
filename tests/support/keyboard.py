"""A command of the command line at a terminal of its own, for tests: what is typed there, and what its screen shows."""

import codecs
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loopback import PATIENCE


class Keyboard:
    """Somebody at a terminal. `says` waits until the screen has shown something new."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int, settings_before: list[Any]) -> None:
        self.shown = ""
        """All that was ever written to the screen."""
        self.settings_before = settings_before
        """The settings of the terminal before the command began."""
        self._process = process
        self._terminal = terminal
        self._read_up_to = 0
        self._ended = False
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def settings(self) -> list[Any]:
        """The settings of the terminal, such as its echo."""
        return termios.tcgetattr(self._terminal)

    def types(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def says(self, text: str) -> None:
        with self._more:
            found = self._more.wait_for(lambda: text in self.shown[self._read_up_to :] or self._ended, PATIENCE)
            fresh = self.shown[self._read_up_to :]
            assert found, f"{text!r} not in {fresh!r}"
            assert text in fresh, f"{text!r} not in {fresh!r}, and nothing more comes"
            self._read_up_to += fresh.index(text) + len(text)

    def interrupts(self) -> None:
        self.sends(signal.SIGINT)

    def sends(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def resizes(self, columns: int, lines: int) -> None:
        resize(self._terminal, columns, lines)

    def leaves(self) -> int:
        """Waits for the end of the command; returns its status."""
        return self._process.wait(PATIENCE)

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while True:
            try:
                read = os.read(self._terminal, 65536)
            except OSError:  # nobody holds the other end any more
                read = b""
            with self._more:
                self.shown += decoder.decode(read)
                self._ended = not read
                self._more.notify_all()
            if not read:
                return


def resize(terminal: int, columns: int, lines: int) -> None:
    """Gives a terminal another size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextmanager
def keyboard(
    *arguments: str, size: tuple[int, int] = (80, 24), environment: Mapping[str, str] | None = None
) -> Iterator[Keyboard]:
    """`emotional-ai ARGUMENTS` at a terminal of `size` columns and lines, killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    resize(ours, *size)
    before = termios.tcgetattr(theirs)
    surroundings = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        (sys.executable, "-m", "emotional_ai", *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=surroundings | {"TERM": "xterm"} | dict(environment or {}),
    )
    os.close(theirs)
    try:
        yield Keyboard(process, ours, before)
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(ours)
