"""`emotional-ai train appraiser`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_training.cli.refusals import refusals


def appraiser(
    goemotions: Annotated[Path, typer.Option(help="Directory of GoEmotions: train.tsv, dev.tsv, test.tsv.")],
    encoder: Annotated[
        Path | None, typer.Option(help="Directory of the sentence encoder; by default the one that was pulled.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Where the weights go; by default beside the code, replacing the committed ones."),
    ] = None,
    evaluate_only: Annotated[bool, typer.Option("--evaluate-only", help="Measure the committed weights.")] = False,
) -> None:
    """Train the heads that read emotions and signals in a text, and print how well they do."""
    from rich.console import Console

    from emotional_ai_training.emotions import EmotionsError, load_heads
    from emotional_ai_training.emotions.weights import COMMITTED
    from emotional_ai_training.models import ModelError, cache_dir, encoder_dir
    from emotional_ai_training.recipes_appraiser import evaluate_appraiser, score_table, train_appraiser

    console = Console(stderr=True)

    def report(line: str) -> None:
        console.print(line, highlight=False)

    with refusals(EmotionsError, ModelError):
        directory = encoder or encoder_dir(cache_dir(os.environ))
        if evaluate_only:
            scores = evaluate_appraiser(goemotions, directory, load_heads(into or COMMITTED), report)
        else:
            scores = train_appraiser(goemotions, directory, into or COMMITTED, report)
    Console().print(score_table(scores))
