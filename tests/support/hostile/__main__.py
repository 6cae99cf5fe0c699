"""`make fuzz`: sends hostile inputs to every target and prints a table; ends with 1 if anything did not hold."""

import asyncio
import sys
from typing import Annotated

import typer

from hostile.courses import COURSES, GROWTH
from hostile.running import Course, run, sound
from hostile.tally import table


def main(
    inputs: Annotated[int, typer.Option(help="inputs in all")] = 20_000,
    seconds: Annotated[float, typer.Option(help="seconds each target may take")] = float("inf"),
    seed: Annotated[int, typer.Option(help="another seed, other inputs")] = 1,
    first: Annotated[int, typer.Option(help="number of the first input")] = 0,
    target: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(COURSES)}; all if not given")] = None,
) -> None:
    """Sends hostile inputs to every target."""
    chosen = {name: COURSES[name] for name in target or COURSES}
    whole = sum(aim.part for aim in chosen.values())
    tallies = []
    for name, aim in chosen.items():
        course = Course(seed, max(1, round(inputs * aim.part / whole)), first, seconds)
        tallies.append(asyncio.run(run(name, aim.opened, course, _say)))
        _say(table(tallies[-1:]))
    _say(table(tallies))
    _say(f"{sum(one.inputs for one in tallies):,} inputs, seed {seed}")
    wrong = sound(tallies, GROWTH)
    for line in wrong:
        _say(line)
    sys.exit(1 if wrong else 0)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
