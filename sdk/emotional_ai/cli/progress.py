"""A job as it goes: a bar for each stage at a terminal, a line for each report anywhere else."""

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from emotional_ai import names
from emotional_ai.cli import reports
from emotional_ai.cli.output import emit, note, printable, say
from emotional_ai.v1 import training_pb2 as pb


def follow(news: Iterable[pb.WatchJobResponse], *, json: bool) -> None:
    """Shows news as they come, until there are no more."""
    console = Console(highlight=False)
    if json:
        for piece in news:
            emit(reports.news(piece))
    elif console.is_terminal:
        _in_bars(news, console)
    else:
        _in_lines(news)


def _in_lines(news: Iterable[pb.WatchJobResponse]) -> None:
    sequence = 0
    status = pb.JOB_STATUS_UNSPECIFIED
    for piece in news:
        if piece.status != status and piece.status == pb.JOB_STATUS_QUEUED:
            note("the job waits for its turn")
        if piece.progress.sequence > sequence:
            say(reports.line(piece.progress))
        sequence, status = max(sequence, piece.progress.sequence), piece.status


def _in_bars(news: Iterable[pb.WatchJobResponse], console: Console) -> None:
    columns = (
        TextColumn("{task.description:<16}", markup=False),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("{task.fields[metrics]}", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
    )
    stages: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as bars:
        waiting = bars.add_task("waiting", total=None, metrics="", left="")
        for piece in news:
            report = piece.progress
            if not report.sequence:
                bars.update(waiting, description=names.status(piece.status))
                continue
            bars.update(waiting, visible=False)
            if report.stage not in stages:
                for stage in stages.values():
                    bars.update(stage, left="")
                stages[report.stage] = bars.add_task(printable(report.stage), total=None, metrics="", left="")
            bars.update(
                stages[report.stage],
                completed=report.step,
                total=report.total_steps,
                metrics=reports.metrics(report),
                left="" if piece.status not in (pb.JOB_STATUS_QUEUED, pb.JOB_STATUS_RUNNING) else reports.left(report),
            )
