"""Pictures of trajectories, drawn without a display."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from emotional_ai.cli.colours import COLOURS
from emotional_ai.cli.figures import happening, strongest
from emotional_ai.cli.output import CommandFailed
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb

DASHES: Final = {"dopamine": "-", "serotonin": "--", "cortisol": "-.", "oxytocin": ":"}
"""Lines differ in pattern as well, for print."""
LABELLED_MARKS: Final = 12
"""Marks that get a name; more would cover each other."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at `x`, on the axis of the curves."""

    x: float
    name: str


@dataclass(frozen=True, slots=True)
class Curves:
    """Levels in [0, 1] at each x, by chemical; `marks` are what happened meanwhile."""

    x: Sequence[float]
    levels: Sequence[pb.Chemistry]
    marks: Sequence[Mark]


def draw_history(told: pb.GetHistoryResponse, baseline: pb.Chemistry, session_id: str, path: Path) -> None:
    """Draws a span of a session over wall time. Raises CommandFailed where the file cannot be written."""
    marks = [
        Mark(_date(entry.time), name)
        for entry in told.entries
        if (name := happening(entry)) and told.samples[0].time.ToNanoseconds() <= entry.time.ToNanoseconds()
    ]
    curves = Curves(
        [_date(sample.time) for sample in told.samples], [sample.chemistry for sample in told.samples], marks
    )
    figure, axes = _figure(curves, baseline)
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]  # matplotlib types only a part of itself
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    axes.set_xlabel("time (UTC)")
    axes.set_title(f"session {session_id}", loc="left", pad=34)
    _save(figure, path)


def draw_simulation(
    request: pb.SimulateRequest, samples: Sequence[pb.SimulatedSample], baseline: pb.Chemistry | None, path: Path
) -> None:
    """Draws a simulated trajectory. Raises CommandFailed where the file cannot be written."""
    marks = [Mark(event.time, strongest(event.signals)) for event in request.events]
    curves = Curves([sample.time for sample in samples], [sample.chemistry for sample in samples], marks)
    figure, axes = _figure(curves, baseline)
    for span in request.sustained:
        axes.axvspan(span.start, span.end, color="0.92", zorder=0)
    axes.set_xlabel("simulated minutes")
    axes.set_title("simulation", loc="left", pad=34)
    _save(figure, path)


def _figure(curves: Curves, baseline: pb.Chemistry | None) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for name in CHEMICALS:
        values = [getattr(level, name) for level in curves.levels]
        axes.plot(curves.x, values, DASHES[name], color=COLOURS[name], linewidth=2, label=name)
        if baseline is not None:
            axes.axhline(getattr(baseline, name), color=COLOURS[name], linewidth=0.8, alpha=0.45)
    for mark in curves.marks:
        axes.axvline(mark.x, color="0.6", linewidth=0.7, zorder=0)
    for mark in curves.marks[-LABELLED_MARKS:]:
        axes.annotate(
            mark.name,
            (mark.x, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=35,
            fontsize=7,
        )
    axes.set_ylim(0, 1)
    axes.set_ylabel("level" if baseline is None else "level (thin lines: at rest)")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, format=path.suffix[1:] or "png")  # left to itself, matplotlib draws in another file
    except (OSError, ValueError, RuntimeError) as error:  # the last where a format needs a program that is not there
        raise CommandFailed(f"cannot draw in {path}: {error}") from error


def _date(time: Timestamp) -> float:
    return float(date2num(time.ToDatetime(tzinfo=UTC)))  # type: ignore[no-untyped-call]
