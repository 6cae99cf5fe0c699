"""Trajectories without a session: configuration, events, sustained spans and sample times in, states out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from emotional_ai_service.core.abandoning import unless_abandoned
from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.dynamics import Inputs, Model
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.flow import GREATEST_SPAN, Trajectory, check_speeds, split
from emotional_ai_service.core.names import CHEMICALS, NO_SIGNALS, SIGNALS, ZERO4, SignalVector, Vector4
from emotional_ai_service.core.timeline import check_levels


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

    `start_hour` is the local hour at time 0, for a daily rhythm. Events at one time act together as one. Raises InvalidInput
    for what no simulation can be of (levels outside [0, 1], signals or times that are negative or not finite), times out of
    order, spans that end before they start, or more than about `most` steps of integration; InvalidConfiguration where
    check_speeds does.
    """
    events = list(events)
    _check_start(initial, initial_mood, start_hour)
    _check_times(times)
    _check_inputs(events, sustained)
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
        unless_abandoned()
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


def _check_start(initial: Vector4 | None, mood: Vector4, hour: float) -> None:
    if initial is not None:
        _check_four(initial, "initial")
        check_levels(initial, "initial")
    _check_four(mood, "initial_mood")
    for name, value in zip(CHEMICALS, mood, strict=True):
        if not math.isfinite(value):
            raise InvalidInput(f"initial_mood.{name}", f"must be finite, got {value:g}")
    if not math.isfinite(hour):
        raise InvalidInput("start_hour", f"must be finite, got {hour:g}")


def _check_four(values: Sequence[float], path: str) -> None:
    if len(values) != len(CHEMICALS):
        raise InvalidInput(path, f"must be {len(CHEMICALS)} numbers, {', '.join(CHEMICALS)}, got {len(values)}")


def _check_times(times: Sequence[float]) -> None:
    for index, time in enumerate(times):
        _check_time(time, f"times[{index}]")
    for index, (before, after) in enumerate(pairwise(times), start=1):
        if after < before:
            raise InvalidInput(
                f"times[{index}]", f"must not be before the time before it, got {after:g} after {before:g}"
            )


def _check_time(time: float, path: str) -> None:
    if not 0 <= time < math.inf:
        raise InvalidInput(path, f"must be finite and >= 0, got {time:g}")


def _check_inputs(events: Sequence[Event], sustained: Sequence[Span]) -> None:
    for index, event in enumerate(events):
        _check_time(event.time, f"events[{index}].time")
        _check_signals(event.signals, f"events[{index}].signals")
    for index, span in enumerate(sustained):
        _check_time(span.start, f"sustained[{index}].start")
        _check_time(span.end, f"sustained[{index}].end")
        if span.end <= span.start:
            raise InvalidInput(f"sustained[{index}].end", f"must be after its start {span.start:g}, got {span.end:g}")
        _check_signals(span.signals, f"sustained[{index}].signals")


def _check_signals(signals: SignalVector, path: str) -> None:
    if len(signals) != len(SIGNALS):
        raise InvalidInput(path, f"must be {len(SIGNALS)} numbers, one a signal, got {len(signals)}")
    for name, value in zip(SIGNALS, signals, strict=True):
        if not 0 <= value < math.inf:
            raise InvalidInput(f"{path}.{name}", f"must be finite and >= 0, got {value:g}")


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
