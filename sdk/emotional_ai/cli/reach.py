"""Which service a command talks to, and what to say when nobody answers there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final

import typer

from emotional_ai.backoff import Backoff
from emotional_ai.cli.output import CommandFailed, note
from emotional_ai.client import Client
from emotional_ai.connection import DEFAULT_TARGET, start_command
from emotional_ai.credentials import Credentials, broken_encryption
from emotional_ai.errors import AlreadyExists, DeadlineExceeded, NotFound, Unavailable
from emotional_ai.names import DEFAULT_SESSION
from emotional_ai.v1.engine_pb2 import DynamicsConfig, Session, SessionConfig

LONGEST_ID: Final = 128
"""Characters the contract lets a session id have."""


def named_session(given: str | None) -> str | None:
    """A session id as given, None if none was. Raises BadParameter for one no session can have."""
    if given is not None and not 1 <= len(given) <= LONGEST_ID:
        raise typer.BadParameter(f"a session id has 1 to {LONGEST_ID} characters, got {len(given)}")
    return given


Target = Annotated[
    str | None, typer.Option("--target", metavar="HOST:PORT", help="Service to talk to.", show_default=False)
]
SessionId = Annotated[str, typer.Option("--session", metavar="ID", help="Session to use.", callback=named_session)]
NamedSession = Annotated[
    str | None,
    typer.Argument(metavar="[SESSION]", help="Session.", show_default=DEFAULT_SESSION, callback=named_session),
]
SessionOption = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="The same, as an option.", callback=named_session)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]


def chosen_session(named: str | None, session: str | None) -> str:
    """The session named as an argument, as an option, or by neither. Raises BadParameter if the two differ."""
    if named is not None and session is not None and named != session:
        raise typer.BadParameter(f"two sessions are named, {named!r} and {session!r}; name one")
    given = named if named is not None else session
    return DEFAULT_SESSION if given is None else given


@dataclass(frozen=True, slots=True)
class Service:
    """The service the commands talk to, as it is named before them."""

    target: str = ""
    """HOST:PORT; empty for the one there is by default."""
    credentials: Credentials = field(default_factory=Credentials)

    def at(self, target: str | None) -> str:
        """The address of a command: its own, the one named before it, or the default one."""
        return target or self.target or DEFAULT_TARGET


def named_service(ctx: typer.Context) -> Service:
    """The service named before the command."""
    return ctx.find_object(Service) or Service()


class ToldBackoff(Backoff):
    """Says on standard error that a stream reconnects, once it did not succeed at once."""

    def seconds(self, attempt: int) -> float:
        if attempt == 1:
            note("note: the service does not answer; reconnecting (Ctrl-C ends)")
        return super().seconds(attempt)


@contextmanager
def connected(ctx: typer.Context, target: str | None, backoff: Backoff | None = None) -> Iterator[Client]:
    """A client of `target`, or of the service named before the command.

    Raises CommandFailed if nobody answers, or for credentials that cannot be shown there.

    `backoff` says how patiently its streams reconnect.
    """
    named = named_service(ctx)
    address, credentials = named.at(target), named.credentials
    try:
        made = Client(address, credentials=credentials.of_channel(address), token=credentials.token, backoff=backoff)
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    with made as client:
        try:
            yield client
        except (Unavailable, DeadlineExceeded) as error:
            if error.reason:
                raise
            raise CommandFailed(unanswered(address, error, encrypted=credentials.encrypted)) from error


def unanswered(address: str, error: Unavailable | DeadlineExceeded, *, encrypted: bool) -> str:
    """What to say when a call met silence instead of a service, over a way that should be `encrypted` or not."""
    if isinstance(error, DeadlineExceeded):
        return (
            f"the service at {address} did not answer in time ({error.message}); it may be busy, wait for the store of its "
            "sessions, or not be there at all"
        )
    if hint := broken_encryption(error.message, encrypted=encrypted):
        return f"no service answers at {address} ({error.message}); {hint}"
    return f"no service answers at {address} ({error.message}); start one with: {start_command(address)}"


def ensured(client: Client, session_id: str, time_scale: float | None = None) -> Session:
    """The session, created if it does not exist; its time scale changed if another is given."""
    try:
        session = client.get_session(session_id)
    except NotFound:
        try:
            return client.create_session(session_id, config=_config(time_scale))
        except AlreadyExists:  # another client was faster
            session = client.get_session(session_id)
    if time_scale is None or session.config.dynamics.time_scale == time_scale:
        return session
    config = SessionConfig()
    config.CopyFrom(session.config)
    config.dynamics.time_scale = time_scale
    return client.update_session(session_id, config)


def _config(time_scale: float | None) -> SessionConfig | None:
    return None if time_scale is None else SessionConfig(dynamics=DynamicsConfig(time_scale=time_scale))
