"""Which span of a session is asked about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from emotional_ai.errors import InvalidArgument
from emotional_ai.spans import start_of_last
from emotional_ai.stimuli import Moment
from emotional_ai.v1 import engine_pb2 as pb


@dataclass(frozen=True, slots=True)
class Span:
    """From `start`, as far back as is known if None, to `end`, now if None."""

    start: Moment | None = None
    end: Moment | None = None


def last_minutes(session: pb.Session, minutes: float) -> Span:
    """The last wall minutes of a session, or its whole life if it is younger. Raises InvalidArgument unless above 0."""
    if not 0 < minutes < float("inf"):
        raise InvalidArgument.of("INVALID_SPAN", "minutes", f"must be above 0, got {minutes:g}")
    try:
        return Span(start_of_last(session, timedelta(minutes=minutes)))
    except OverflowError:
        return Span()


def between(entries: Iterable[pb.LogEntry], first: int, last: int) -> Span:
    """From just before one event to just after another, by their numbers in the log.

    Raises InvalidArgument for a number that is not among `entries`, or an end before the start.
    """
    times = {entry.sequence: entry.time for entry in entries}
    for field, number in (("the first event", first), ("the last event", last)):
        if number not in times:
            known = f"{min(times)} to {max(times)}" if times else "none"
            raise InvalidArgument.of("INVALID_SPAN", field, f"is not among the events listed, {known}; got {number}")
    if last < first:
        raise InvalidArgument.of("INVALID_SPAN", "the last event", f"must not be before {first}, got {last}")
    return Span(times[first], times[last])
