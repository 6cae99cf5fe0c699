"""The life of a session without some of its events, beside the one that was."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.spans import start_of_last
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page.lines import Picture, Pictures, line
from emotional_ai.web.page.why.explained import level, signed, thousandths

POINTS: Final = 200
LEAD: Final = 0.08
"""Share of the span that is shown before the first event thought away."""
LEAST_LEAD: Final = timedelta(seconds=2)


class Difference(TypedDict):
    """One chemical at the end of the span."""

    chemical: str
    is_now: str
    would_be: str
    by: str


class Otherwise(TypedDict):
    """What would have been."""

    curves: Pictures
    differences: list[Difference]
    is_now: str
    """Label that is felt."""
    would_be: str
    """Label that would be felt."""


async def otherwise(client: AsyncClient, session_id: str, without: Sequence[pb.LogEntry]) -> Otherwise:
    """A session up to now as if entries had not happened. Raises what the calls raise."""
    session = await client.get_session(session_id)
    start = beginning(session, min(entry.time.ToDatetime(UTC) for entry in without))
    told = await client.counterfactual(session_id, [entry.sequence for entry in without], start=start, points=POINTS)
    return compared(told)


def beginning(session: pb.Session, first: datetime) -> datetime | None:
    """A little before `first`; None, as far back as is known, where that is before the session's creation."""
    since = session.state.time.ToDatetime(UTC) - first
    return start_of_last(session, since + max(since * LEAD, LEAST_LEAD))


def compared(told: pb.ReplayCounterfactualResponse) -> Otherwise:
    """The two lives as pictures, one a chemical, and how they differ at the end."""
    real, other = told.actual[-1], told.counterfactual[-1]
    was, would = names.levels(real.chemistry), names.levels(other.chemistry)
    return Otherwise(
        curves=Pictures(
            unit="clock",
            times=[state.time.ToNanoseconds() / 1e6 for state in told.actual],
            pictures=[_picture(name, told) for name in CHEMICALS],
        ),
        differences=[
            Difference(
                chemical=name,
                is_now=level(was[name]),
                would_be=level(would[name]),
                by=signed(thousandths(was[name], would[name])),
            )
            for name in CHEMICALS
        ],
        is_now=names.label(real.label),
        would_be=names.label(other.label),
    )


def _picture(name: str, told: pb.ReplayCounterfactualResponse) -> Picture:
    return Picture(
        title=name,
        lines=[
            line(name, _levels(told.actual, name), name="as it was", dash="solid"),
            line(name, _levels(told.counterfactual, name), name="without", dash="dashed"),
        ],
    )


def _levels(states: Sequence[pb.EmotionalState], name: str) -> list[float]:
    return [names.levels(state.chemistry)[name] for state in states]
