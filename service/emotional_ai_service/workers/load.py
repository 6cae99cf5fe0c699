"""How much is under way in what answers requests."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """Requests by what happens to them. Plain numbers: they cross a process boundary."""

    running: int = 0
    """Being worked on."""
    waiting: int = 0
    """Taken on, and waiting for a place among them."""
    capacity: int = 0
    """How many can be worked on together; 0 where that is not known."""
