"""The terminal while `watch` has it: it is given back as it was, whatever ends the command."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

from rich.console import Console
from rich.live import Live

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Asked:
    """Which signal asked for the end; 0 while none did."""

    signal: int = 0

    def __call__(self, number: int, _: FrameType | None) -> None:
        self.signal = number


@contextmanager
def screen(console: Console) -> Iterator[tuple[Live, Asked]]:
    """The whole terminal, without echo of what is typed; signals that would end the process are kept for the caller."""
    with _asked() as asked, _silent(), Live(console=console, screen=True, auto_refresh=False) as live:
        yield live, asked


def unfit(console: Console) -> str:
    """Why nothing can be drawn on a terminal; empty if something can."""
    if console.is_dumb_terminal:
        return "the terminal cannot move its cursor"
    if not console.encoding.lower().startswith("utf"):
        return f"the terminal's encoding, {console.encoding}, has no characters to draw with"
    return ""


@contextmanager
def _asked() -> Iterator[Asked]:
    # An exception could strike while the terminal is being given back; a note cannot.
    asked = Asked()
    before = {number: signal.signal(number, asked) for number in ENDING}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _silent() -> Iterator[None]:
    """What is typed is neither shown nor left for the shell."""
    import termios

    if sys.stdin is None or not sys.stdin.isatty():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    silent = termios.tcgetattr(keyboard)
    silent[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(keyboard, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSAFLUSH, before)
