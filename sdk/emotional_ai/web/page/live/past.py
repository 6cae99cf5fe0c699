"""A span of a session's past, as the browser draws it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from heapq import heappop, heappush
from typing import Final, TypedDict

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.spans import start_of_last
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
ALIKE: Final = 0.001
"""Levels nearer than this speak alike, as far as can be seen; a blend bends more than the levels it is made of."""


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
    start = start_of_last(session, timedelta(seconds=seconds)) if seconds else None
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


async def spoken(client: AsyncClient, moment: Moment, samples: Sequence[pb.EmotionalState]) -> list[points.Manner]:
    """How the session would have spoken at the past states that show it, under its configuration of now."""
    chosen = apart(samples)
    found: list[points.Manner] = []
    for at in range(0, len(chosen), AT_ONCE):
        some = chosen[at : at + AT_ONCE]
        asked = (client.preview_expression(one.chemistry, config=moment.config) for one in some)
        expressions = await asyncio.gather(*asked)
        found += [points.manner(one.time, expression) for one, expression in zip(some, expressions, strict=True)]
    return found


def apart(samples: Sequence[pb.EmotionalState]) -> list[pb.EmotionalState]:
    """Some of the states, the first and the last among them, chosen by what is seen: straight lines between them lie nowhere
    further than ALIKE from the levels, or as near as SPOKEN states allow.
    """
    times = [one.time.ToNanoseconds() for one in samples]
    levels = [list(names.levels(one.chemistry).values()) for one in samples]
    chosen = {0, len(samples) - 1}
    spans = [_furthest(times, levels, 0, len(samples) - 1)]
    while len(chosen) < SPOKEN:
        off, first, between, last = heappop(spans)
        if -off < ALIKE:
            break
        chosen.add(between)
        heappush(spans, _furthest(times, levels, first, between))
        heappush(spans, _furthest(times, levels, between, last))
    return [samples[index] for index in sorted(chosen)]


def _furthest(
    times: Sequence[int], levels: Sequence[Sequence[float]], first: int, last: int
) -> tuple[float, int, int, int]:
    """The state of a span that lies furthest from the straight line between its ends: minus how far, first, which, last."""
    one, other = levels[first], levels[last]
    length = max(times[last] - times[first], 1)
    off = 0.0
    furthest = first
    for index in range(first + 1, last):
        share = (times[index] - times[first]) / length
        here = max(abs(a + share * (b - a) - c) for a, b, c in zip(one, other, levels[index], strict=True))
        if here > off:
            off, furthest = here, index
    return -off, first, furthest, last
