"""Trajectories without a session: configuration, events, sustained spans and sample times in, states out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.dynamics import Inputs, Model
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.flow import GREATEST_SPAN, Trajectory, check_speeds, split
from emotional_ai_service.core.names import NO_SIGNALS, ZERO4, SignalVector, Vector4


@dataclass(frozen=True, slots=True)
class Event:
    """Signals, each >= 0, that act at once at `time` simulated minutes."""

    time: float
    signals: SignalVector


@dataclass(frozen=True, slots=True)
class Span:
    """Signals, each >= 0, in occurrences per tau_u, that act from `start` to `end` simulated minutes."""

    start: float
    end: float
    signals: SignalVector


@dataclass(frozen=True, slots=True)
class Sample:
    """Levels and mood at `time` simulated minutes; at the time of an event: after it."""

    time: float
    levels: Vector4
    mood: Vector4


def simulate(
    dynamics: Dynamics,
    times: Sequence[float],
    *,
    initial: Vector4 | None = None,
    initial_mood: Vector4 = ZERO4,
    events: Iterable[Event] = (),
    sustained: Sequence[Span] = (),
    start_hour: float = 12.0,
    most: float = GREATEST_SPAN,
) -> list[Sample]:
    """Samples at `times`, in simulated minutes from the start, >= 0 and not descending.

    Events at one time act together as one. Raises InvalidInput for times out of order, spans that end before they start, or
    more than about `most` steps of integration; InvalidConfiguration where check_speeds does.
    """
    _check(times, sustained)
    happening = _by_time(events)
    changes = {edge for span in sustained for edge in (span.start, span.end)}
    model = Model(dynamics)
    check_speeds(model)
    hours_per_minute = 1 / (60 * dynamics.time_scale) if dynamics.time_scale else 0.0
    y = (initial or dynamics.baseline) + (initial_mood if dynamics.mood else ())
    habituation, now = NO_SIGNALS, 0.0

    def flow_from_now() -> Trajectory:
        inputs = Inputs(_acting(sustained, now), start_hour + now * hours_per_minute, hours_per_minute)
        return Trajectory(model, y, inputs)

    trajectory, samples, pending, steps = flow_from_now(), [], list(times), 0.0
    for moment in sorted({0.0, *happening, *changes, *times}):
        steps += trajectory.steps_to(moment - now)
        if steps > most:
            raise InvalidInput(
                "times", f"are too far to integrate all of it: {moment:g} minutes are; simulate less at a time"
            )
        reached = trajectory.at(moment - now)
        if moment in happening or moment in changes:
            habituation = model.recover(habituation, moment - now)
            y, now = reached, moment
            if moment in happening:
                effective, habituation = model.habituate(habituation, happening[moment])
                y = model.jump(split(y)[0], effective) + y[4:]
            trajectory, reached = flow_from_now(), y
        while pending and pending[0] == moment:
            samples.append(Sample(pending.pop(0), *split(reached)))
    return samples


def _check(times: Sequence[float], sustained: Sequence[Span]) -> None:
    for index, (before, after) in enumerate(pairwise(times), start=1):
        if after < before:
            raise InvalidInput(
                f"times[{index}]", f"must not be before the time before it, got {after:g} after {before:g}"
            )
    for index, span in enumerate(sustained):
        if span.end <= span.start:
            raise InvalidInput(f"sustained[{index}].end", f"must be after its start {span.start:g}, got {span.end:g}")


def _by_time(events: Iterable[Event]) -> dict[float, SignalVector]:
    together: dict[float, SignalVector] = {}
    for event in events:
        before = together.get(event.time, NO_SIGNALS)
        together[event.time] = tuple([a + b for a, b in zip(before, event.signals, strict=True)])
    return together


def _acting(spans: Sequence[Span], time: float) -> SignalVector:
    """Sum of the spans that hold just after `time`."""
    acting = [span.signals for span in spans if span.start <= time < span.end]
    return tuple(map(sum, zip(*acting, strict=True))) if acting else NO_SIGNALS
