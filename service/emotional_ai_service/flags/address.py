"""Flags of the command line that say where the service listens, and how long it runs."""

from typing import Annotated, Final

import typer

DEFAULT_PORT: Final = 50051

Host = Annotated[
    str, typer.Option(help="Address to listen on; beyond this machine --tokens and --tls-cert are needed.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="Ends when standard input does.")]
