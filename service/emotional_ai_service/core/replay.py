"""Looking back over a log: sampling a trajectory, explaining a change, and the life a session would have had.

A log is the creation followed by entries in order of time; replaying it is the definition of a session's state.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from emotional_ai_service.core.abandoning import unless_abandoned
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.flow import GREATEST_SPAN, exposure, steps_of_exposure
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

GREATEST_EXPLAINED: Final = 12_000
"""Steps of integration that an explanation may take: 0.13 ms each on an idle core, 0.6 ms with mood and a daily rhythm."""


def replay(first: Moment, entries: Iterable[Timed]) -> list[Continuation]:
    """The session just after its creation and just after each entry, in order."""
    path = [Continuation(first)]
    for time_us, entry in entries:
        unless_abandoned()
        path.append(Continuation(path[-1].apply(entry, time_us)))
    return path


def sample(path: Sequence[Continuation], times_us: Iterable[int], most: float = GREATEST_SPAN) -> list[Moment]:
    """The session at each time, none before the creation; at the time of an entry: after it.

    Raises InvalidInput where the readings together would take more than about `most` steps of integration.
    """
    starts = [continuation.moment.time_us for continuation in path]
    samples, steps = [], 0.0
    for time_us in times_us:
        unless_abandoned()
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
    left: float = GREATEST_EXPLAINED
    """Steps of integration that may still be taken."""


def explain(
    path: Sequence[Continuation],
    entries: Sequence[Timed],
    start_us: int,
    end_us: int,
    most: float = GREATEST_EXPLAINED,
) -> Explanation:
    """Attributes the change between two times to signals; entries at the very start belong to the span.

    `path` is the replay of `entries`. An event's change is attributed exactly (see Model.jump_contributions), a sustained
    signal's is the integral of its own terms of the flow, and homeostasis is what remains. Raises InvalidInput for a span
    that would take more than about `most` steps of integration.
    """
    starts = [time_us for time_us, _ in entries]
    first, last = bisect_left(starts, start_us), bisect_right(starts, end_us)
    before = path[first].at(start_us)
    told = Explanation(before, before, left=most)
    here = Continuation(before)
    for index in range(first, last):
        unless_abandoned()
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
    """Integral over the span of each sustained signal's own part of the flow; see core.flow.exposure."""
    acting = [index for index in range(len(SIGNALS)) if start.sustained[index]]
    if not acting or minutes <= 0:
        return {}
    model = start.agent.model
    inputs = span_inputs(start, start.sustained, 0.0, standing=standing)
    told.left -= steps_of_exposure(model, inputs, minutes)
    if told.left < 0:
        raise InvalidInput(
            "start", "is too far from the end to explain what was sustained meanwhile; name a shorter span"
        )
    free, full = exposure(model, start.flow, inputs, minutes)
    parts = {}
    for index in acting:
        push, pull = model.drive(tuple([u if one == index else 0.0 for one, u in enumerate(start.sustained)]))
        p0, p1, p2, p3 = (push[i] * free[i] - pull[i] * full[i] for i in range(4))
        parts[index] = p0, p1, p2, p3
    return parts


def _add(a: Vector4, b: Vector4, factor: float = 1.0) -> Vector4:
    return a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2], a[3] + factor * b[3]


def _subtract(a: Vector4, b: Vector4) -> Vector4:
    return _add(a, b, -1.0)
