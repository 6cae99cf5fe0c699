"""What became of the inputs of a target."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil


class Broken(AssertionError):
    """What must hold did not."""


@dataclass(slots=True)
class Tally:
    """Counts of one target; memory is that of this process."""

    target: str
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    """What did not hold, with the number of the input."""
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, 0)
    """Seconds, and the number of the input that took them."""
    grown: int = 0
    """Bytes that memory grew by after the inputs that warmed it up, at most."""
    warm: int = 0

    def took(self, number: int, seconds: float, outcome: str) -> None:
        """An input has been answered."""
        self.inputs += 1
        self.outcomes[outcome] += 1
        self.seconds += seconds
        self.slowest = max(self.slowest, (seconds, number))

    def weigh(self) -> None:
        """Looks at the memory; the first time it is what later ones are compared with."""
        held = psutil.Process().memory_info().rss
        self.warm = self.warm or held
        self.grown = max(self.grown, held - self.warm)


HEADER = ("target", "inputs", "per s", "answered", "refused", "growth", "slowest", "refusals by code")


def table(tallies: Iterable[Tally]) -> str:
    """What `make fuzz` prints."""
    rows = [HEADER, *map(_row, tallies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def _row(tally: Tally) -> tuple[str, ...]:
    refusals = {code: count for code, count in tally.outcomes.most_common() if code != "OK"}
    return (
        tally.target,
        f"{tally.inputs:,}",
        f"{tally.inputs / max(tally.seconds, 1e-9):,.0f}",
        f"{tally.outcomes['OK']:,}",
        f"{sum(refusals.values()):,}",
        f"{tally.grown / 2**20:.1f} MiB",
        f"{tally.slowest[0]:.2f} s #{tally.slowest[1]}",
        ", ".join(f"{code} {count:,}" for code, count in refusals.items()) or "-",
    )


def clock() -> float:
    """Seconds, for spans."""
    return time.perf_counter()
