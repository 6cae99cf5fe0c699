"""history, explain: the past of a session, and its causes."""

from pathlib import Path
from typing import Annotated, Final

import typer

from emotional_ai import names
from emotional_ai.causes import parts, sentences
from emotional_ai.cli import figures, records
from emotional_ai.cli.files import named_file
from emotional_ai.cli.output import Record, aligned, emit, note, printable, say
from emotional_ai.cli.reach import AsJson, SessionId, Target, connected
from emotional_ai.cli.spans import End, Start, last_minutes, span
from emotional_ai.names import DEFAULT_SESSION
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb

SPARK_POINTS: Final = 60
LAST_ENTRIES: Final = 10


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(history)
    app.command()(explain)


def history(
    ctx: typer.Context,
    session: SessionId = DEFAULT_SESSION,
    start: Start = None,
    end: End = None,
    points: Annotated[
        int | None, typer.Option(min=2, max=10_000, help="Samples over the span.", show_default="60; 200 with --plot")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw the four chemicals and the events.", callback=named_file),
    ] = None,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Show how a session came to feel as it does: sparklines and the latest events, or a picture.

    With --json, first an object per sample, `kind` "sample", then one per log entry, `kind` "entry".
    """
    with connected(ctx, target) as client:
        whole = client.get_session(session)
        asked = span(whole, start, end)
        wanted = points or (200 if plot else SPARK_POINTS)
        told = client.history(session, start=asked.start, end=asked.end, points=wanted)
    baseline = whole.config.dynamics.baseline
    if plot is not None:
        from emotional_ai.cli.plot import draw_history

        draw_history(told, baseline, session, plot)
        note(f"drawn in {plot}")
    if json:
        for sample in told.samples:
            emit({"kind": "sample"} | records.state(sample))
        for entry in told.entries:
            emit({"kind": "entry"} | records.entry(entry))
    elif plot is None:
        for line in history_lines(told, baseline):
            say(line)


def history_lines(told: pb.GetHistoryResponse, baseline: pb.Chemistry) -> list[str]:
    """A sparkline per chemical, then the latest log entries."""
    first, last = told.samples[0], told.samples[-1]
    earlier = len(told.entries) + told.entries_left_out - LAST_ENTRIES
    return [
        f"{names.moment(first.time)} to {names.moment(last.time)}: at the end {figures.feeling(last)}",
        figures.spark_rows(told.samples, baseline),
        *([f"({earlier} earlier entries)"] if earlier > 0 else []),
        *map(entry_line, told.entries[-LAST_ENTRIES:]),
    ]


def entry_line(entry: pb.LogEntry) -> str:
    """A log entry on one line."""
    told = records.entry(entry)
    heard = entry.stimulus.event if entry.stimulus.HasField("event") else entry.stimulus.sustained.signals
    what = f"{told['what']} {figures.named(names.signals(heard))}" if "signals" in told else str(told["what"])
    minutes = f", {told['minutes']} simulated minutes" if "minutes" in told else ""
    remark = f"  # {' '.join(printable(entry.stimulus.note).split())}" if entry.stimulus.note else ""
    return f"{entry.sequence:>5}  {names.moment(entry.time)}  {what}{minutes}{remark}"


def explain(
    ctx: typer.Context,
    session: SessionId = DEFAULT_SESSION,
    start: Start = None,
    end: End = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="The last wall minutes instead of a span.")] = None,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Say which signals moved which chemical by how much. The parts add up to the change."""
    if minutes is not None and (start is not None or end is not None):
        raise typer.BadParameter("cannot stand beside --start and --end; give one or the other", param_hint="--minutes")
    with connected(ctx, target) as client:
        whole = client.get_session(session)
        asked = span(whole, start, end) if minutes is None else last_minutes(whole, minutes)
        told = client.explain(session, start=asked.start, end=asked.end)
    if json:
        emit(explanation(told))
        return
    for line in explained(told):
        say(line)


def explained(told: pb.ExplainResponse) -> list[str]:
    """Sentences about each chemical, then the numbers, whose columns add up."""
    every = parts(told)
    before, after = names.levels(told.before.chemistry), names.levels(told.after.chemistry)
    lived = told.after.simulated_minutes - told.before.simulated_minutes
    was, became = names.label(told.before.label), names.label(told.after.label)
    lines = [
        f"{names.moment(told.before.time)} to {names.moment(told.after.time)}, {lived:.1f} simulated minutes: "
        + (f"{was} at both ends" if was == became else f"from {was} to {became}")
    ]
    lines += sentences(told)
    rows = [(part, *(f"{moved[name]:+.4f}" for name in CHEMICALS)) for part, moved in every.items()]
    change = ("change", *(f"{after[name] - before[name]:+.4f}" for name in CHEMICALS))
    return [*lines, aligned([("moved by", *CHEMICALS), *rows, change])]


def explanation(told: pb.ExplainResponse) -> Record:
    """An explanation as JSON."""
    before, after = names.levels(told.before.chemistry), names.levels(told.after.chemistry)
    return {
        "before": records.state(told.before),
        "after": records.state(told.after),
        "change": {name: after[name] - before[name] for name in CHEMICALS},
        "signals": {names.signal(one.signal): _moved(one) for one in told.signals},
        "homeostasis": names.levels(told.homeostasis),
        "resets": names.levels(told.resets),
        "entries": [_entry(one) for one in told.entries],
    }


def _moved(one: pb.SignalContribution) -> Record:
    return {"events": names.levels(one.events), "sustained": names.levels(one.sustained)}


def _entry(one: pb.EntryContribution) -> Record:
    return {
        "sequence": one.sequence,
        "time": names.moment(one.time),
        "note": one.note,
        "signals": {names.signal(part.signal): names.levels(part.events) for part in one.signals},
    }
