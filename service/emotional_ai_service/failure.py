"""How a command ends that cannot do what it was asked to."""

from typing import NoReturn

import typer


def fail(problem: object) -> NoReturn:
    """Ends the command with a line on standard error, and exit status 1."""
    typer.echo(f"emotional-ai: {problem}", err=True)
    raise typer.Exit(1)
