"""How a span of time is written on the command line.

A moment is RFC 3339 with a time zone (`2026-01-31T09:00:00Z`) or an age (`90s`, `10m`, `2h`, `3d`), counted back from the
service's own present, so that the two clocks need not agree.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from emotional_ai.v1.engine_pb2 import Session

UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
AGE: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")

Start = Annotated[
    str | None,
    typer.Option(
        help="Start: a time such as 2026-01-31T09:00:00Z, or an age such as 10m. Default: creation, or what is still known."
    ),
]
End = Annotated[str | None, typer.Option(help="End: a time or an age. Default: now.")]


@dataclass(frozen=True, slots=True)
class Spanned:
    """A span; None where the service decides."""

    start: datetime | None
    end: datetime | None


def span(session: Session, start: str | None, end: str | None) -> Spanned:
    """The span between two moments as written. Ages reach back to the session's creation at most."""
    return Spanned(_first(session, _moment(session, start, "--start")), _moment(session, end, "--end"))


def last_minutes(session: Session, minutes: float) -> Spanned:
    """The last wall minutes of a session, or its whole life if it is younger."""
    return Spanned(_first(session, _ago(session, "minutes", minutes, "--minutes")), None)


def _first(session: Session, start: datetime | None) -> datetime | None:
    """A start, left to the service at the creation, of which it may no longer know."""
    return None if start == session.created_at.ToDatetime(tzinfo=UTC) else start


def _moment(session: Session, text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    age = AGE.fullmatch(text)
    if age:
        return _ago(session, UNITS[age[2]], float(age[1]), option)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is neither a time such as 2026-01-31T09:00:00Z nor an age such as 10m", param_hint=option
        ) from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no time zone; add Z for UTC or an offset", param_hint=option)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise typer.BadParameter(f"{text!r} is outside the years 1 to 9999 of UTC", param_hint=option) from error


def _ago(session: Session, unit: str, count: float, option: str) -> datetime:
    now = session.state.time.ToDatetime(tzinfo=UTC)
    try:
        moment = now - timedelta(**{unit: count})
    except (OverflowError, ValueError) as error:
        raise typer.BadParameter(f"{count:g} {unit} reach back before the year 1", param_hint=option) from error
    return max(moment, session.created_at.ToDatetime(tzinfo=UTC))
