"""What a look at an installation comes to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

Look = Callable[[], "Iterable[Finding]"]


class Standing(Enum):
    """How it stands with a thing."""

    OK = "ok"
    WARN = "warn"
    """It works, and may not for long, or not as well as it could."""
    WRONG = "wrong"
    """Something that was asked for does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, looked at."""

    subject: str
    """What was looked at, such as "store"."""
    standing: Standing
    said: str
    mend: str = ""
    """The command that mends it, or what to do where no command does; empty where nothing is to be mended."""


def ok(subject: str, said: str) -> Finding:
    """Nothing to be done."""
    return Finding(subject, Standing.OK, said)


def warn(subject: str, said: str, mend: str) -> Finding:
    """Something to be looked to."""
    return Finding(subject, Standing.WARN, said, mend)


def wrong(subject: str, said: str, mend: str) -> Finding:
    """Something to be mended."""
    return Finding(subject, Standing.WRONG, said, mend)


def looked(subject: str, look: Look) -> list[Finding]:
    """What a look finds; where a package it needs is missing or broken, that is what it finds."""
    try:
        return list(look())
    except ImportError as error:
        return [wrong(subject, f"cannot be looked at: {error}", "pip install 'emotional-ai[local]'")]
