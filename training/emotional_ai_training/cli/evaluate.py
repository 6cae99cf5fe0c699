"""`emotional-ai eval`. Heavy imports wait until the command runs."""

import os
import shlex
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_training.cli.refusals import refusals


def evaluate(
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of report, figures and replies. Default: reports, or reports/quick.", file_okay=False
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few prompts: for a look, in minutes.")] = False,
    target: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Service to evaluate; by default one of its own is started.")
    ] = None,
    loras: Annotated[Path, typer.Option(help="The adapters.", file_okay=False)] = Path("loras"),
    model: Annotated[
        Path | None,
        typer.Option(envvar="EMOTIONAL_AI_MODEL", help="The base model's directory; by default the pulled one."),
    ] = None,
    seed: Annotated[int, typer.Option(min=1, max=1_000_000, help="First seed of the draws.")] = 1,
    one_by_one: Annotated[
        bool,
        typer.Option("--one-by-one", help="One reply at a time: slower, and the same to the letter each time."),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask everything anew, dropping replies kept in the folder.")
    ] = False,
) -> None:
    """Measure whether the emotional state steers the words, and write a report with figures.

    Goes on with the replies that are in the folder already, so that a run that was interrupted loses nothing.
    """
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from emotional_ai.errors import EmotionalAIError
    from emotional_ai_training.adapters import AdapterError
    from emotional_ai_training.emotions import EmotionsError
    from emotional_ai_training.models import ModelError, cache_dir, default_model_dir, encoder_dir
    from emotional_ai_training.steering.criteria import criteria
    from emotional_ai_training.steering.errors import SteeringError
    from emotional_ai_training.steering.plans import full_plan, quick_plan
    from emotional_ai_training.steering.report import Report, write
    from emotional_ai_training.steering.running import Local, found, replied
    from emotional_ai_training.steering.serving import serving

    console = Console(stderr=True)
    plan = quick_plan(seed) if quick else full_plan(seed)
    if one_by_one:
        plan = replace(plan, at_once=1)
    folder = out or (Path("reports/quick") if quick else Path("reports"))
    with refusals(SteeringError, EmotionalAIError, ModelError, AdapterError, EmotionsError, OSError):
        cache = cache_dir(os.environ)
        local = Local(model or default_model_dir(cache), encoder_dir(cache), loras, cache)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        started = serving(loras, model, folder / "service.log") if target is None else nullcontext(target)
        with started as address, Progress(*columns, console=console) as shown:
            task = shown.add_task("replies", total=None)

            def progress(done: int, total: int) -> None:
                shown.update(task, completed=done, total=total)

            asked = asyncio.run(replied(address, plan, local, folder, progress, fresh=fresh))
        console.print("reading the replies")
        findings = found(plan, asked, local)
        written = write(Report(asked.speaker, plan, len(asked.answers), findings, _command(sys.argv)), folder)
    judged = criteria(findings)
    for one in judged:
        typer.echo(f"{'met   ' if one.met else 'missed'}  {one.what}: {one.found} (wanted {one.wanted})")
    typer.echo(f"{sum(one.met for one in judged)} of {len(judged)} met; {written[1]}")


def _command(arguments: list[str]) -> str:
    """What was called, as it can be called again."""
    return shlex.join(["emotional-ai", *(one for one in arguments[1:] if one != "--fresh")])
