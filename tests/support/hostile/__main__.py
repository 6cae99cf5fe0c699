"""`make fuzz`: sends hostile inputs to every target and prints a table; ends with 1 if anything did not hold."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from hostile.exports import exports
from hostile.rpcs import rpcs
from hostile.running import Course, Opened, run, sound
from hostile.sequences import sequences
from hostile.tally import table
from hostile.tinkering import tinkering

TARGETS: Final[Mapping[str, tuple[Opened, float]]] = {
    "rpcs": (rpcs, 0.4),
    "sequences": (sequences, 0.2),
    "exports": (exports, 0.1),
    "tinkering": (tinkering, 0.1),
}
"""Targets, and their parts of all inputs."""
GROWTH: Final = 64 << 20
"""Bytes by which a target may make the process grow once it is warm."""


def main(
    inputs: Annotated[int, typer.Option(help="inputs in all")] = 20_000,
    seconds: Annotated[float, typer.Option(help="seconds each target may take")] = float("inf"),
    seed: Annotated[int, typer.Option(help="another seed, other inputs")] = 1,
    first: Annotated[int, typer.Option(help="number of the first input")] = 0,
    target: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(TARGETS)}; all if not given")] = None,
) -> None:
    """Sends hostile inputs to every target."""
    chosen = {name: TARGETS[name] for name in target or TARGETS}
    whole = sum(part for _, part in chosen.values())
    tallies = []
    for name, (opened, part) in chosen.items():
        course = Course(seed, max(1, int(inputs * part / whole)), first, seconds)
        tallies.append(asyncio.run(run(name, opened, course, lambda line: print(line, flush=True))))  # noqa: T201
        print(table(tallies[-1:]), flush=True)  # noqa: T201
    print(table(tallies))  # noqa: T201
    print(f"{sum(one.inputs for one in tallies):,} inputs, seed {seed}")  # noqa: T201
    wrong = sound(tallies, GROWTH)
    for line in wrong:
        print(line)  # noqa: T201
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
