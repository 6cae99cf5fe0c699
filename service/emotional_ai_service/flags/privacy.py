"""Flags of the command line about privacy: how long the past is kept, and how much is kept in memory only."""

from typing import Annotated

import typer

from emotional_ai_service.flags.duration import microseconds_of
from emotional_ai_service.settings import PrivacySettings
from emotional_ai_service.stores import TRANSIENT_SESSIONS

Retention = Annotated[
    str | None,
    typer.Option(
        "--retention",
        metavar="SPAN",
        help="Let go of log entries older than this, such as 30d; the states of sessions go on unchanged.",
        show_default="everything is kept",
    ),
]
TransientSessions = Annotated[
    int,
    typer.Option(
        "--transient-sessions",
        min=0,
        max=1_000_000,
        help="How many sessions may be kept in memory only, at the wish of who makes them; 0 allows none.",
    ),
]


def privacy_of(retention: str | None, transient_sessions: int = TRANSIENT_SESSIONS) -> PrivacySettings:
    """The settings the flags describe. Raises typer.BadParameter for what is no span of time, or none to keep."""
    keep_us = None
    if retention is not None:  # Not a parser of the flag, as workers are handed on what was given.
        try:
            keep_us = microseconds_of(retention)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--retention") from error
        if not keep_us:
            raise typer.BadParameter("must be at least 1s; leave it out to keep everything", param_hint="--retention")
    return PrivacySettings(keep_us=keep_us, transient_sessions=transient_sessions)
