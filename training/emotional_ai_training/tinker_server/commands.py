"""`emotional-ai tinker-server`: flags and environment into settings. Nothing below it reads the environment."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_training.tinker_server.errors import NotServable
from emotional_ai_training.tinker_server.settings import READY, Device, Dtype, ServerSettings, new_key


def tinker_server(
    model: Annotated[
        Path | None, typer.Option(help="Llama-architecture checkpoint directory. Default: the pulled one.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    listen_beyond_loopback: Annotated[
        bool, typer.Option("--listen-beyond-loopback", help="Allow a --host that other machines can reach.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="TINKER_API_KEY",
            help="Key that clients must send; tml-... . Default: a new one, printed.",
            show_envvar=True,
        ),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Where runs and checkpoints are kept. Default: tinker/ in the cache.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, max=1024, help="Threads of the model; 0 takes every processor.")] = 0,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.AUTO,
    dtype: Annotated[Dtype, typer.Option(help="Number format of the frozen weights.")] = Dtype.AUTO,
    max_queue: Annotated[int, typer.Option(min=1, max=100_000, help="Requests that may wait.")] = 256,
    max_runs: Annotated[int, typer.Option(min=1, max=10_000, help="Models in training at once.")] = 32,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve the Tinker API on this machine: training and sampling for the official SDK, without an account."""
    from emotional_ai_training.models import ModelError, cache_dir, default_model_dir

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    cache = cache_dir(os.environ)
    try:
        settings = ServerSettings(
            model=model or default_model_dir(cache),
            state=state or cache / "tinker",
            key=key or new_key(),
            host=host,
            port=port,
            listen_beyond_loopback=listen_beyond_loopback,
            threads=threads,
            device=device,
            dtype=dtype,
            max_queue=max_queue,
            max_runs=max_runs,
            with_parent=with_parent,
        )
        _serve(settings, given_key=key is not None)
    except (NotServable, ModelError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


def _serve(settings: ServerSettings, *, given_key: bool) -> None:
    from emotional_ai_training.tinker_server.serving import serve

    def ready(address: str) -> None:
        if settings.with_parent:
            typer.echo(f"{READY}{address}")
            return
        key = "the one you gave" if given_key else settings.key
        typer.echo(f"Tinker API for {settings.model.resolve().name} on {address}")
        typer.echo(f"  key      {key}")
        typer.echo(f"  state    {settings.state}")
        typer.echo("Point the SDK at it:")
        typer.echo(f"  export TINKER_BASE_URL={address}")
        typer.echo(f"  export TINKER_API_KEY={'...' if given_key else settings.key}")

    serve(settings, ready)
