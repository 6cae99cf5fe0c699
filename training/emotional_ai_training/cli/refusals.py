"""How a command says that it cannot: one line on standard error, and status 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def refusals(*expected: type[Exception]) -> Iterator[None]:
    """Ends the command where one of the `expected` errors is raised, whose message tells a person all there is to tell."""
    try:
        yield
    except expected as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
