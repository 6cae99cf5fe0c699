"""A training in a terminal: a bar a stage with the time the whole will still take, and Ctrl-C that leaves a resumable run."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

import tinker
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.prompt import Confirm

from emotional_ai_training.adapters import AdapterError
from emotional_ai_training.dataset import DatasetError
from emotional_ai_training.emotions import EmotionsError
from emotional_ai_training.jobs import JobCancelled
from emotional_ai_training.models import ModelError
from emotional_ai_training.recipes.errors import RecipeError
from emotional_ai_training.tinker_api import CostRefused, Estimate, TinkerFailure, check_cost, explain
from emotional_ai_training.tinker_server.errors import TinkerServerError

_SHOWN = ("loss", "reward")


EXPECTED: Final = (
    AdapterError,
    DatasetError,
    EmotionsError,
    ModelError,
    RecipeError,
    TinkerServerError,
    TinkerFailure,
    tinker.TinkerError,
    OSError,
)
"""Errors whose message tells a person all there is to tell."""


class ConsoleReporter:
    """Draws reports as bars; `cancelled` once Ctrl-C was pressed."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self.cancelled = False

    def report(
        self, stage: str, step: int, total_steps: int, metrics: Mapping[str, float], remaining_seconds: float
    ) -> None:
        """Moves the bar of a stage."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total_steps, told="", left="")
        told = next((f"{name} {metrics[name]:.2f}" for name in _SHOWN if name in metrics), "")
        left = f"{remaining_seconds / 60:.1f} min left" if remaining_seconds else ""
        self._bars.update(self._tasks[stage], completed=step, told=told, left="" if step == total_steps else left)

    def cancel(self, number: int, frame: FrameType | None) -> None:
        """Ends the training at its next state; a second Ctrl-C ends it at once, at the last one."""
        del number, frame
        if self.cancelled:
            raise KeyboardInterrupt
        self.cancelled = True
        self._bars.console.print("stopping after this step; press Ctrl-C again to stop at once")


@contextmanager
def console_reporter(console: Console) -> Iterator[ConsoleReporter]:
    """A reporter on this terminal, heeding Ctrl-C and SIGTERM while it is open."""
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=14),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("[dim]{task.fields[told]}"),
    )
    with Progress(*columns, console=console) as bars:
        reporter = ConsoleReporter(bars)
        before = {number: signal.signal(number, reporter.cancel) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield reporter
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def approval(console: Console, most_dollars: float | None) -> Callable[[Estimate], None]:
    """What decides on the cost of a hosted run: the limit if one was given, else the person at the terminal."""

    def approve(found: Estimate) -> None:
        if most_dollars is not None:
            check_cost(found, most_dollars)
            return
        console.print(f"a hosted run: {found}")
        if not Confirm.ask("start it?", console=console, default=False):
            raise CostRefused("not started; nothing was spent")

    return approve


@contextmanager
def readable() -> Iterator[None]:
    """Turns what is expected to go wrong into one line on standard error and status 1, a cancelled run into status 130."""
    try:
        yield
    except EXPECTED as error:
        typer.echo(f"error: {explain(error)}", err=True)
        raise typer.Exit(1) from error
    except JobCancelled as error:
        typer.echo(f"{error}: run the same command again", err=True)
        raise typer.Exit(130) from error
    except KeyboardInterrupt as error:
        typer.echo("stopped; the same command goes on from the last saved state", err=True)
        raise typer.Exit(130) from error
