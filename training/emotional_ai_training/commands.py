"""The training commands: `emotional-ai train ...` and `emotional-ai tinker-server`. Heavy imports wait until a command runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_training.dataset.commands import prepare
from emotional_ai_training.judge.commands import judge
from emotional_ai_training.recipes.commands import train_adapters
from emotional_ai_training.tinker_server.commands import tinker_server

app = typer.Typer(no_args_is_help=True)
train = typer.Typer(no_args_is_help=True, help="Train what the service reads and speaks with.")
app.add_typer(train, name="train")


@train.callback()
def _train() -> None:
    """Reads `.env` beside the command, before the environment; what is set there already stays."""
    from dotenv import load_dotenv

    load_dotenv(".env")


train.command("adapters")(train_adapters)
train.command("prepare")(prepare)
train.command("judge")(judge)
app.command("tinker-server")(tinker_server)


@train.command("appraiser")
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

    try:
        directory = encoder or encoder_dir(cache_dir(os.environ))
        if evaluate_only:
            scores = evaluate_appraiser(goemotions, directory, load_heads(into or COMMITTED), report)
        else:
            scores = train_appraiser(goemotions, directory, into or COMMITTED, report)
    except (EmotionsError, ModelError) as error:
        console.print(f"[red]error:[/red] {error}", highlight=False)
        raise typer.Exit(1) from error
    Console().print(score_table(scores))
