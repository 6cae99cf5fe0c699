"""Spans of a session's life, by the service's clock, which may not be this machine's."""

from datetime import UTC, datetime, timedelta

from emotional_ai.v1.engine_pb2 import Session


def start_of_last(session: Session, span: timedelta) -> datetime | None:
    """Where the last `span` of a session begins; None, as far back as is known, where it is no younger than the session.

    That is left to the service, which may have let go of a session's first days, and then knows no longer of its creation.
    """
    now = session.state.time.ToDatetime(tzinfo=UTC)
    return now - span if span < now - session.created_at.ToDatetime(tzinfo=UTC) else None
