"""A span of a session's past, as the browser draws it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.hub import Moment
from emotional_ai.web.page.live import points

SAMPLES: Final = 400
"""Points of a curve; a picture is hardly wider."""
MARKS: Final = 1000
"""Newest entries of the log that are marked; of no more is it told what each did."""
SPOKEN: Final = 50
"""Most times at which the way of speaking is asked for: each is a call."""
AT_ONCE: Final = 10
"""Calls made together, so that others get their turn."""
ALIKE: Final = 0.004
"""Levels nearer than this speak alike, as far as can be seen."""


class Span(TypedDict):
    """A span as `live.js` takes it: levels by chemical and (valence, arousal), each one per time, in ms since 1970."""

    seconds: int
    began: float
    now: float
    times: list[float]
    levels: dict[str, list[float]]
    path: list[tuple[float, float]]
    marks: list[points.Mark]
    rest: dict[str, float]
    latest: points.Point


async def span(client: AsyncClient, moment: Moment, seconds: int) -> tuple[Span, Sequence[pb.EmotionalState]]:
    """The last `seconds` of a session, its whole life if 0, and its states then. Raises what the calls raise."""
    session = await client.get_session(moment.state.session_id)
    start = _start(session, seconds)
    told, explained = await asyncio.gather(
        client.history(session.session_id, start=start, points=SAMPLES),
        client.explain(session.session_id, start=start),
    )
    samples = told.samples
    drawn = Span(
        seconds=seconds,
        began=points.milliseconds(session.created_at),
        now=points.milliseconds(samples[-1].time),
        times=[points.milliseconds(one.time) for one in samples],
        levels={name: [round(getattr(one.chemistry, name), points.DIGITS) for one in samples] for name in CHEMICALS},
        path=[(round(one.valence, points.DIGITS), round(one.arousal, points.DIGITS)) for one in samples],
        marks=points.marks(told.entries[-MARKS:], explained),
        rest=points.levels(moment.config.dynamics.baseline),
        latest=points.point(moment),
    )
    return drawn, samples


def _start(session: pb.Session, seconds: int) -> Timestamp | None:
    """Where the span begins by the service's clock, which may not be this machine's; None for as far back as is known."""
    if not seconds:
        return None
    start = Timestamp()
    start.FromDatetime(session.state.time.ToDatetime() - timedelta(seconds=seconds))
    return start if start.ToNanoseconds() > session.created_at.ToNanoseconds() else None


async def spoken(client: AsyncClient, moment: Moment, samples: Sequence[pb.EmotionalState]) -> list[points.Manner]:
    """How the session would have spoken at some of its past states, under its configuration of now."""
    chosen = _apart(samples)
    found: list[points.Manner] = []
    for at in range(0, len(chosen), AT_ONCE):
        some = chosen[at : at + AT_ONCE]
        asked = (client.preview_expression(one.chemistry, config=moment.config) for one in some)
        expressions = await asyncio.gather(*asked)
        found += [points.manner(one.time, expression) for one, expression in zip(some, expressions, strict=True)]
    return found


def _apart(samples: Sequence[pb.EmotionalState]) -> list[pb.EmotionalState]:
    """Some of the states, the first and the last among them: evenly spaced, those alike on both sides left out."""
    step = -(-len(samples) // SPOKEN)
    some = [*samples[:-1:step], samples[-1]]
    levels = [names.levels(one.chemistry) for one in some]
    return [
        one
        for index, one in enumerate(some)
        if index in (0, len(some) - 1)
        or not (_alike(levels[index - 1], levels[index]) and _alike(levels[index], levels[index + 1]))
    ]


def _alike(one: dict[str, float], other: dict[str, float]) -> bool:
    return all(abs(one[name] - other[name]) < ALIKE for name in CHEMICALS)
