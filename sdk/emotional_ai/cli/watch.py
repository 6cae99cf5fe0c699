"""watch: a session as it goes, drawn at a terminal, a line a state anywhere else."""

import signal
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

import typer
from rich.console import Console

from emotional_ai.cli import figures, records
from emotional_ai.cli.output import emit, note, say
from emotional_ai.cli.reach import AsJson, NamedSession, SessionOption, Target, ToldBackoff, chosen_session, connected
from emotional_ai.v1.engine_pb2 import EmotionalState

MINUTES: Final = 3.0
LINES_MS: Final = 1000
DRAWN_MS: Final = 250


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(watch)


def watch(
    ctx: typer.Context,
    named: NamedSession = None,
    session: SessionOption = None,
    interval: Annotated[
        int | None,
        typer.Option(
            metavar="MS",
            min=0,
            max=3_600_000,
            help="Also at least this often; 0 on changes only.",
            show_default=f"{DRAWN_MS} drawn, {LINES_MS} in lines",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many states.")] = None,
    minutes: Annotated[float, typer.Option(min=0.05, max=1440, help="Wall minutes the curves reach back.")] = MINUTES,
    plain: Annotated[bool, typer.Option("--plain", help="Lines, at a terminal too.")] = False,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Follow a session's state; Ctrl-C ends.

    At a terminal its curves are drawn as they go on, with what happened, what it is called, how it speaks and by whom; in a
    pipe, or with --plain, there is a line for each state, with --json an object.
    """
    chosen = chosen_session(named, session)
    if sys.stdout.isatty() and not (json or plain):
        _drawn(ctx, target, chosen, minutes, interval, count)
    else:
        _in_lines(ctx, target, chosen, interval, count, json=json)


def _drawn(
    ctx: typer.Context, target: str | None, session_id: str, minutes: float, interval: int | None, count: int | None
) -> None:
    from emotional_ai.cli.live import Contact, Patience, Wanted, show, silence
    from emotional_ai.cli.screen import unfit

    console = Console(highlight=False)
    if reason := unfit(console):
        note(f"note: {reason}; a line for each state instead")
        _in_lines(ctx, target, session_id, interval, count, json=False)
        return
    often = DRAWN_MS if interval is None else interval
    contact = Contact(silence(often))
    wanted = Wanted(session_id, minutes * 60, often, count)
    with connected(ctx, target, Patience(contact=contact)) as client:
        last, ended_by = show(client, wanted, contact, console)
    say(_line(last))
    if ended_by not in (0, signal.SIGINT):
        raise typer.Exit(128 + ended_by)


def _in_lines(
    ctx: typer.Context, target: str | None, session_id: str, interval: int | None, count: int | None, *, json: bool
) -> None:
    often = LINES_MS if interval is None else interval
    with (
        connected(ctx, target, ToldBackoff()) as client,
        client.watch(session_id, interval_ms=often) as states,
    ):
        try:
            _print(islice(states, count), json=json)
        except KeyboardInterrupt:
            return


def _print(states: Iterator[EmotionalState], *, json: bool) -> None:
    for one in states:
        if json:
            emit(records.state(one))
        else:
            say(_line(one))


def _line(state: EmotionalState) -> str:
    return f"{state.time.ToDatetime():%H:%M:%S}  v{state.version}  {figures.state_line(state)}"
