"""A session's life computed by the pure core from its exported log, to hold the service against."""

from collections.abc import Sequence

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_service.core.replay import replay
from emotional_ai_service.core.timeline import Continuation, Moment, begin
from emotional_ai_service.wire import agent_from, entry_from, levels_from

EXACT = 1e-12
"""Largest difference between two computations of one life."""


def replayed(log: Sequence[pb.LogEntry]) -> list[Continuation]:
    """The session just after each entry of its log."""
    created = log[0].created
    levels = levels_from(created.initial) if created.HasField("initial") else None
    first = begin(agent_from(created.config), log[0].time.ToMicroseconds(), levels)
    return replay(first, [(entry.time.ToMicroseconds(), entry_from(entry)) for entry in log[1:]])


def numbers(state: pb.EmotionalState) -> list[float]:
    """Levels, mood, and sustained signals of a state."""
    levels, mood = state.chemistry, state.mood
    return [
        *(levels.dopamine, levels.serotonin, levels.cortisol, levels.oxytocin),
        *(mood.dopamine, mood.serotonin, mood.cortisol, mood.oxytocin),
        *(getattr(state.sustained, name) for name in SIGNALS),
    ]


def apart(a: Sequence[float], b: Sequence[float]) -> float:
    """Largest difference between two lists of numbers."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def same(state: pb.EmotionalState, moment: Moment) -> bool:
    """Whether a state of the service is a moment of the core: its numbers to 1e-12, everything else exactly."""
    expected = [*moment.levels, *(moment.flow[4:] or (0.0,) * 4), *moment.sustained]
    return (
        apart(numbers(state), expected) <= EXACT
        and abs(state.simulated_minutes - moment.minutes) <= EXACT * max(1.0, moment.minutes)
        and (state.version, state.label) == (moment.version, moment.label + 1)
        and state.time.ToMicroseconds() == moment.time_us
    )
