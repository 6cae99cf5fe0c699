"""Looking back over a log: sampling a trajectory, explaining a change, and the life a session would have had.

A log is the creation followed by entries in order of time; replaying it is the definition of a session's state.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.flow import FORGOTTEN, GREATEST_SPAN, Trajectory
from emotional_ai_service.core.names import SIGNALS, ZERO4, Vector4
from emotional_ai_service.core.timeline import (
    Continuation,
    Entry,
    Happened,
    Moment,
    Restored,
    Skipped,
    span_inputs,
)

Timed = tuple[int, Entry]
"""A log entry after the creation: wall microseconds, and what happened."""

_ABSCISSAE: Final = (0.0, math.sqrt(5 - 2 * math.sqrt(10 / 7)) / 3, math.sqrt(5 + 2 * math.sqrt(10 / 7)) / 3)
_QUADRATURE: Final = (128 / 225, (322 + 13 * math.sqrt(70)) / 900, (322 - 13 * math.sqrt(70)) / 900)
"""Gauss-Legendre quadrature of five points on [-1, 1]: the middle one, and two pairs."""

GREATEST_EXPLAINED: Final = 1_000_000
"""Points of quadrature, 9 us each on an idle core, that an explanation may take."""


def replay(first: Moment, entries: Iterable[Timed]) -> list[Continuation]:
    """The session just after its creation and just after each entry, in order."""
    path = [Continuation(first)]
    for time_us, entry in entries:
        path.append(Continuation(path[-1].apply(entry, time_us)))
    return path


def sample(path: Sequence[Continuation], times_us: Iterable[int], most: float = GREATEST_SPAN) -> list[Moment]:
    """The session at each time, none before the creation; at the time of an entry: after it.

    Raises InvalidInput where the readings together would take more than about `most` steps of integration.
    """
    starts = [continuation.moment.time_us for continuation in path]
    samples, steps = [], 0.0
    for time_us in times_us:
        continuation = path[bisect_right(starts, time_us) - 1]
        steps += continuation.steps_to(time_us)
        if steps > most:
            raise InvalidInput(
                "end", "is too far to integrate the whole span; ask for a shorter one, or for fewer points"
            )
        samples.append(continuation.at(time_us))
    return samples


def spread(start_us: int, end_us: int, points: int) -> list[int]:
    """`points` >= 2 times from start to end, both included, evenly spaced to a microsecond."""
    return [start_us + (end_us - start_us) * index // (points - 1) for index in range(points)]


@dataclass(slots=True)
class Explanation:
    """What moved a session between two moments, in levels. All parts together add up to `after - before`."""

    before: Moment
    after: Moment
    events: dict[int, Vector4] = field(default_factory=dict)
    """Change by the events of each signal, by index of the signal."""
    sustained: dict[int, Vector4] = field(default_factory=dict)
    """Change by each signal while it was sustained."""
    homeostasis: Vector4 = ZERO4
    """What the chemistry did by itself: set point, couplings, mood, daily rhythm."""
    resets: Vector4 = ZERO4
    """What resets did."""
    entries: list[tuple[int, int, dict[int, Vector4]]] = field(default_factory=list)
    """Each entry that moved the levels at its moment: its sequence, its time, and the change by signal."""
    left: int = GREATEST_EXPLAINED
    """Points of quadrature that may still be taken."""


def explain(
    path: Sequence[Continuation],
    entries: Sequence[Timed],
    start_us: int,
    end_us: int,
    most: int = GREATEST_EXPLAINED,
) -> Explanation:
    """Attributes the change between two times to signals; entries at the very start belong to the span.

    `path` is the replay of `entries`. An event's change is attributed exactly (see Model.jump_contributions), a sustained
    signal's is the integral of its own terms of the flow, and homeostasis is what remains. Raises InvalidInput for a span
    that would take more than `most` points of quadrature.
    """
    starts = [time_us for time_us, _ in entries]
    first, last = bisect_left(starts, start_us), bisect_right(starts, end_us)
    before = path[first].at(start_us)
    told = Explanation(before, before, left=most)
    here = Continuation(before)
    for index in range(first, last):
        time_us, entry = entries[index]
        reached = here.at(time_us)
        _flowed(told, here.moment, reached, reached.minutes - here.moment.minutes, standing=False)
        after = path[index + 1].moment
        _entered(told, reached, after, entry)
        here = path[index + 1]
    told.after = here.at(end_us)
    _flowed(told, here.moment, told.after, told.after.minutes - here.moment.minutes, standing=False)
    return told


def _entered(told: Explanation, reached: Moment, after: Moment, entry: Entry) -> None:
    match entry:
        case Happened(signals):
            model = reached.agent.model
            effective, _ = model.habituate(reached.habituation, signals)
            parts = model.jump_contributions(reached.levels, effective)
            for signal, part in parts.items():
                told.events[signal] = _add(told.events.get(signal, ZERO4), part)
            told.entries.append((after.version, after.time_us, parts))
        case Skipped(minutes):
            _flowed(told, reached, after, minutes, standing=True)
        case Restored():
            told.resets = _add(told.resets, _subtract(after.levels, reached.levels))


def _flowed(told: Explanation, start: Moment, end: Moment, minutes: float, *, standing: bool) -> None:
    """Splits the change of a span without entries into sustained signals and homeostasis."""
    change = _subtract(end.levels, start.levels)
    for signal, part in _sustained_parts(told, start, min(minutes, start.sustained_minutes), standing=standing).items():
        told.sustained[signal] = _add(told.sustained.get(signal, ZERO4), part)
        change = _subtract(change, part)
    told.homeostasis = _add(told.homeostasis, change)


def _sustained_parts(told: Explanation, start: Moment, minutes: float, *, standing: bool) -> dict[int, Vector4]:
    """Integral over the span of each sustained signal's own part of the flow, by Gauss-Legendre quadrature."""
    acting = [index for index in range(len(SIGNALS)) if start.sustained[index]]
    if not acting or minutes <= 0:
        return {}
    model = start.agent.model
    inputs = span_inputs(start, start.sustained, 0.0, standing=standing)
    trajectory, count, varied = Trajectory(model, start.flow, inputs), *_panels(start, minutes, constant=standing)
    told.left -= 5 * count
    if told.left < 0:
        raise InvalidInput(
            "start", "is too far from the end to explain what was sustained meanwhile; name a shorter span"
        )
    parts = dict.fromkeys(acting, ZERO4)
    for time, weight in _quadrature(minutes, varied, count):
        slopes = model.sustained_slopes(trajectory.at(time)[:4], start.sustained)
        for index in acting:
            parts[index] = _add(parts[index], slopes[index], weight)
    return parts


def _panels(start: Moment, minutes: float, *, constant: bool) -> tuple[int, float]:
    """Panels of the span in which the flow varies, and how long that is; afterwards it has settled for good."""
    model = start.agent.model
    panel, memory = 0.5 / model.fastest_rate(start.sustained), FORGOTTEN / model.contraction
    varied = minutes if model.dynamics.circadian and not constant else min(minutes, memory)
    return max(1, math.ceil(varied / panel)), varied


def _quadrature(minutes: float, varied: float, count: int) -> Iterator[tuple[float, float]]:
    """Times and weights, in simulated minutes; a flow that has settled for good is one last panel."""
    edges = [varied * index / count for index in range(count + 1)]
    if varied < minutes:
        edges.append(minutes)
    for low, high in pairwise(edges):
        middle, half = (low + high) / 2, (high - low) / 2
        yield middle, half * _QUADRATURE[0]
        for abscissa, weight in zip(_ABSCISSAE[1:], _QUADRATURE[1:], strict=True):
            yield middle - half * abscissa, half * weight
            yield middle + half * abscissa, half * weight


def _add(a: Vector4, b: Vector4, factor: float = 1.0) -> Vector4:
    return a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2], a[3] + factor * b[3]


def _subtract(a: Vector4, b: Vector4) -> Vector4:
    return _add(a, b, -1.0)
