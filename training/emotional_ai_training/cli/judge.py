"""`emotional-ai train judge`. Heavy imports wait until the command runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_training.cli.refusals import refusals


def judge(
    goemotions: Annotated[Path, typer.Option(help="Directory of GoEmotions: train.tsv, dev.tsv, test.tsv.")],
    replies: Annotated[
        Path | None, typer.Option(help="File of companion replies to measure on: {text, state, split} a line.")
    ] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Directory of the sentence encoder; by default the one that was pulled.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Where the weights go; by default beside the code, replacing the committed ones."),
    ] = None,
) -> None:
    """Train the judge that says which emotional state a text expresses, and print how well it does."""
    from rich.console import Console

    from emotional_ai_training.emotions import EmotionsError
    from emotional_ai_training.judge.scores import score_table
    from emotional_ai_training.judge.training import train_judge
    from emotional_ai_training.judge.weights import COMMITTED
    from emotional_ai_training.models import ModelError, cache_dir, encoder_dir

    console = Console(stderr=True)

    def report(line: str) -> None:
        console.print(line, highlight=False, markup=False)

    with refusals(EmotionsError, ModelError):
        directory = encoder or encoder_dir(cache_dir(os.environ))
        scores = train_judge(goemotions, directory, into or COMMITTED, report, replies=replies)
    Console(width=140).print(score_table(scores), highlight=False)
