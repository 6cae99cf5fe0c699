"""Giving up: a computation ends at its next step once nobody waits for what it comes to.

Whoever runs one may set `ABANDONED` in the context it runs in; a computation that may take long calls `unless_abandoned` once
a step. Without it a computation goes on to its end, and with it comes to the same.
"""

from collections.abc import Callable
from contextvars import ContextVar


class Abandoned(Exception):
    """Nobody waits for the result of this computation any more."""


def _never() -> bool:
    return False


ABANDONED: ContextVar[Callable[[], bool]] = ContextVar("ABANDONED", default=_never)
"""Tells, from any thread, whether the computation of this context is to end."""


def unless_abandoned() -> None:
    """Raises Abandoned where nobody waits any more."""
    if ABANDONED.get()():
        raise Abandoned
