"""web: the page."""

import asyncio
import socket
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from emotional_ai.cli.output import CommandFailed, note, say
from emotional_ai.cli.reach import SessionId, Target, named_service
from emotional_ai.connection import service_address
from emotional_ai.names import DEFAULT_SESSION

if TYPE_CHECKING:
    from emotional_ai.web.settings import WebSettings

READY = "ready "
"""What the command prints, followed by the address of the page, once it serves."""
NEEDED = ("nicegui", "connectrpc")

Host = Annotated[str, typer.Option(help="Address to listen on; beyond this machine a token is needed.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="EMOTIONAL_AI_WEB_TOKEN",
        help="What visitors must know, and other clients send as a bearer token.",
        show_default=False,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="A further name the page may be reached by; a token is needed then. May be repeated."
    ),
]
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="Ends when standard input does.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(web)


def web(
    ctx: typer.Context,
    session: SessionId = DEFAULT_SESSION,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    token: Token = None,
    allow_host: AllowHost = None,
    with_parent: WithParent = False,
    target: Target = None,
) -> None:
    """Serve the page: watch a session, talk to it, move it, ask why. It waits for the service if there is none yet.

    Every rpc is answered there too, by HTTP and JSON, and so is the chat API of OpenAI.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise CommandFailed(f"the page needs {', '.join(missing)}; install it with: pip install 'emotional-ai[web]'")
    from emotional_ai.web import WebSettings
    from emotional_ai.web.serving import listening

    named = named_service(ctx)
    try:
        settings = WebSettings(
            target=service_address(named.at(target)),
            credentials=named.credentials,
            host=host,
            port=port,
            session=session,
            token=token,
            allowed_hosts=tuple(allow_host or ()),
        )
        listener = listening(settings.host, settings.port)
    except (ValueError, OSError) as error:
        raise CommandFailed(str(error)) from error
    _serve(settings, listener, with_parent=with_parent)


def _serve(settings: "WebSettings", listener: socket.socket, *, with_parent: bool) -> None:
    from emotional_ai.web import application, serving

    where = serving.address(settings.host, listener)
    if settings.token is not None:
        note(f"open it with the token once: {where}?token=...")
    with suppress(KeyboardInterrupt):
        asyncio.run(
            application.serve(settings, listener, lambda: say(READY + where), sys.stdin.buffer if with_parent else None)
        )
