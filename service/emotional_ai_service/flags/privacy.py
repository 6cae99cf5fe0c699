"""Flags of the command line about privacy: how long the past is kept, and how much is kept in memory only."""

from typing import Annotated

import typer

from emotional_ai_service.flags.duration import microseconds_of
from emotional_ai_service.settings import PrivacySettings
from emotional_ai_service.stores import TRANSIENT_SESSIONS


def _span(text: str) -> int:
    """A span of at least a second, in microseconds."""
    try:
        span_us = microseconds_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not span_us:
        raise typer.BadParameter("must be at least 1s; leave it out to keep everything")
    return span_us


Retention = Annotated[
    int | None,
    typer.Option(
        "--retention",
        metavar="SPAN",
        help="Let go of log entries older than this, such as 30d; the states of sessions go on unchanged.",
        show_default="everything is kept",
        parser=_span,
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


def privacy_of(retention: int | None, transient_sessions: int = TRANSIENT_SESSIONS) -> PrivacySettings:
    """The settings the flags describe."""
    return PrivacySettings(keep_us=retention, transient_sessions=transient_sessions)
