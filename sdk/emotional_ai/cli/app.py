"""The root of the command line.

Exit codes: 0 done; 1 refused or failed, with one message on standard error, or with none where the reader of the output left;
2 wrong usage; 130 interrupted.
"""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from emotional_ai.cli import (
    adapters,
    batch,
    chat,
    health,
    jobs,
    kiro,
    lab,
    language,
    past,
    sessions,
    state,
    status,
    watch,
    web,
)
from emotional_ai.cli.joined import Joined, joined
from emotional_ai.cli.output import CommandFailed, note, say, told
from emotional_ai.cli.reach import Service
from emotional_ai.cli.shapes import shown
from emotional_ai.connection import DEFAULT_TARGET
from emotional_ai.credentials import CA, CLIENT_CERT, CLIENT_KEY, TOKEN, Credentials
from emotional_ai.errors import EmotionalAIError

FAILED: Final = 1
WRONG_USAGE: Final = 2
PROGRAM: Final = "emotional-ai"


class Root(TyperGroup):
    """Adds the commands of the other packages to those of the client, and turns expected errors into messages."""

    # typer's context and command types moved between its versions, so they are not named here.

    @cached_property
    def _others(self) -> Joined:
        return joined()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        found = self._others.commands.get(cmd_name)
        if found is None and self._others.absent and not cmd_name.startswith("-"):
            reasons = "; ".join(map(str, self._others.absent))
            raise CommandFailed(f"there is no command {cmd_name!r} here; {reasons}")
        return found

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *self._others.commands]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # typer fixes the signature
        for absent in self._others.absent:
            formatter.write_paragraph()
            formatter.write_text(f"Not shown: {absent}.")

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EmotionalAIError as error:
            note(f"error: {told(error)}")
        except CommandFailed as error:
            note(f"error: {error}")
        raise typer.Exit(FAILED)


app = typer.Typer(
    name=PROGRAM,
    cls=Root,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(version("emotional-ai"))
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="HOST:PORT[,HOST:PORT]",
            envvar="EMOTIONAL_AI_TARGET",
            help="Service the commands talk to, or its replicas.",
        ),
    ] = DEFAULT_TARGET,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar=TOKEN, help="Token of the service, if it asks for one.", show_default=False),
    ] = None,
    ca: Annotated[
        str | None,
        typer.Option(
            "--ca",
            metavar="FILE",
            envvar=CA,
            help="Encrypt, and trust a service vouched for by these authorities, PEM; `system` for public ones, `none` to send "
            "a token unencrypted.",
            show_default=False,
        ),
    ] = None,
    client_cert: Annotated[
        str | None,
        typer.Option(
            "--client-cert", metavar="FILE", envvar=CLIENT_CERT, help="Certificate shown to the service, PEM."
        ),
    ] = None,
    client_key: Annotated[
        str | None, typer.Option("--client-key", metavar="FILE", envvar=CLIENT_KEY, help="Its key, PEM.")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Agents with a living emotional state: talk to them, move them, ask why they feel as they do.

    Exit codes: 0 done; 1 refused or failed, with a message on standard error, or with none where the reader of the output
    left; 2 wrong usage; 130 interrupted.
    """
    ctx.obj = Service(target, Credentials(token, ca, client_cert, client_key))


for _part in (chat, state, watch, past, sessions, lab, language, batch, adapters, status, health, jobs, kiro, web):
    _part.register(app)


def run() -> None:
    """Runs the command that the process was started with, and ends the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        _check_arguments(sys.argv[1:])
        app(prog_name=PROGRAM)
    except OSError as error:  # of files a CommandFailed tells, of a reader that left the command framework
        with suppress(OSError):
            note(f"error: cannot write the output: {error.strerror or error}")
        _discard_output()
        sys.exit(FAILED)


def _check_arguments(arguments: Sequence[str]) -> None:
    """Ends the process for an argument that is not UTF-8 text, which nothing the service is sent can hold.

    A file whose name is not UTF-8 is refused with it: which arguments name files is not known yet.
    """
    for number, argument in enumerate(arguments, start=1):
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError:
            note(f"error: argument {number} is not UTF-8 text: {shown(os.fsencode(argument))}")
            sys.exit(WRONG_USAGE)


def _discard_output() -> None:
    """Lets what could not be written go nowhere, or the interpreter would fail on it once more as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
