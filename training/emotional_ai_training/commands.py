"""The training commands: `emotional-ai train ...` and `emotional-ai tinker-server`. Heavy imports wait until a command runs."""

import typer

from emotional_ai_training.cli.adapters import train_adapters
from emotional_ai_training.cli.appraiser import appraiser
from emotional_ai_training.cli.evaluate import evaluate
from emotional_ai_training.cli.judge import judge
from emotional_ai_training.cli.prepare import prepare
from emotional_ai_training.tinker_server.commands import tinker_server

app = typer.Typer(no_args_is_help=True)
train = typer.Typer(no_args_is_help=True, help="Train what the service reads and speaks with.")
app.add_typer(train, name="train")


@train.callback()
def _train() -> None:
    """Reads `.env` beside the command, before the environment; what is set there already stays."""
    from dotenv import load_dotenv

    try:
        load_dotenv(".env")
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"error: .env cannot be read: {error}", err=True)
        raise typer.Exit(1) from None


train.command("adapters")(train_adapters)
train.command("prepare")(prepare)
train.command("judge")(judge)
app.command("tinker-server")(tinker_server)
app.command("eval")(evaluate)
train.command("appraiser")(appraiser)
