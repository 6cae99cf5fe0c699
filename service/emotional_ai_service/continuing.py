"""What a session is at a moment, as the first entry of a log whose older entries were let go: exact to the bit.

A log that is read anywhere may have been written anywhere, so every number of such an entry is checked; the paths of errors
are those of the contract below the entry.
"""

import math
from typing import Final

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.labels import LABELS
from emotional_ai_service.core.names import NO_SIGNALS, SignalVector
from emotional_ai_service.core.timeline import Agent, Moment, check_levels, check_signals
from emotional_ai_service.wire import (
    agent_from,
    check_mood,
    check_time,
    config_to,
    label_of,
    levels_from,
    levels_to,
    microseconds,
    signals_from,
    signals_to,
    timestamp,
    vector_from,
    vector_to,
)

GREATEST_SEQUENCE: Final = 2**53
"""Greatest sequence a log can begin at: what a number of JSON holds exactly."""
LONGEST_MINUTES: Final = 1e7
"""Longest that signals can be sustained, in simulated minutes."""


def continued_to(created_us: int, moment: Moment) -> pb.LogEntry:
    """The entry that stands for everything up to `moment` of a session created at `created_us`."""
    continued = pb.SessionContinued(
        config=config_to(moment.agent),
        created_at=timestamp(created_us),
        simulated_minutes=moment.minutes,
        chemistry=levels_to(moment.levels),
        habituation=signals_to(moment.habituation),
        label=label_of(moment.label),
    )
    if len(moment.flow) > 4:
        continued.mood.CopyFrom(vector_to(moment.flow[4:]))
    if any(moment.sustained):
        continued.sustained.CopyFrom(signals_to(moment.sustained))
        if math.isfinite(moment.sustained_minutes):
            continued.sustained_minutes = moment.sustained_minutes
    return pb.LogEntry(sequence=moment.version, time=timestamp(moment.time_us), continued=continued)


def continued_from(entry: pb.LogEntry) -> tuple[int, Moment]:
    """When the session was created, and the moment the entry stands for. Raises CoreError for one that cannot be."""
    message, time_us = entry.continued, microseconds(entry.time)
    if not 1 <= entry.sequence <= GREATEST_SEQUENCE:
        raise InvalidInput("sequence", f"must be in [1, {GREATEST_SEQUENCE}], got {entry.sequence}")
    if not message.HasField("config"):
        raise InvalidInput("continued.config", "must be set to the configuration in force")
    agent = agent_from(message.config, "continued.config")
    minutes = message.simulated_minutes
    if not 0 <= minutes < math.inf:
        raise InvalidInput("continued.simulated_minutes", f"must be a finite number >= 0, got {minutes:g}")
    if not 1 <= message.label <= len(LABELS):
        raise InvalidInput("continued.label", f"must be a known label, 1..{len(LABELS)}, got {message.label}")
    sustained, held = _sustained(message)
    created_us = _created(message, time_us)
    return created_us, Moment(
        agent,
        time_us,
        minutes,
        entry.sequence,
        _flow(message, agent),
        _habituation(message, agent),
        sustained,
        held,
        message.label - 1,
    )


def _created(message: pb.SessionContinued, time_us: int) -> int:
    if not message.HasField("created_at"):
        raise InvalidInput("continued.created_at", "must be set to when the session was created")
    check_time(message.created_at, "continued.created_at")
    created_us = microseconds(message.created_at)
    if created_us > time_us:
        late = (created_us - time_us) / 1e6
        raise InvalidInput("continued.created_at", f"must not be after the entry's time, is {late:.6f} s after it")
    return created_us


def _flow(message: pb.SessionContinued, agent: Agent) -> tuple[float, ...]:
    if not message.HasField("chemistry"):
        raise InvalidInput("continued.chemistry", "must be set to the four levels")
    levels = levels_from(message.chemistry)
    check_levels(levels, "continued.chemistry")
    if message.HasField("mood") != (agent.dynamics.mood is not None):
        wanted = "unset: it is off" if message.HasField("mood") else "set: it is on"
        raise InvalidInput("continued.mood", f"must be {wanted} in the configuration")
    if agent.dynamics.mood is None:
        return levels
    check_mood(message.mood, "continued.mood")
    return levels + vector_from(message.mood)


def _habituation(message: pb.SessionContinued, agent: Agent) -> SignalVector:
    habituation = _intensities(message.habituation, "continued.habituation")
    if habituation is not NO_SIGNALS and agent.dynamics.habituation is None:
        raise InvalidInput("continued.habituation", "must be zero: it is off in the configuration")
    return habituation


def _sustained(message: pb.SessionContinued) -> tuple[SignalVector, float]:
    """The signals sustained, and how long they still hold."""
    sustained = _intensities(message.sustained, "continued.sustained")
    if not message.HasField("sustained_minutes"):
        return sustained, math.inf
    if sustained is NO_SIGNALS:
        raise InvalidInput("continued.sustained_minutes", "must be unset where no signal is sustained")
    minutes = message.sustained_minutes
    if not 0 < minutes <= LONGEST_MINUTES:
        raise InvalidInput("continued.sustained_minutes", f"must be in (0, {LONGEST_MINUTES:g}], got {minutes:g}")
    return sustained, minutes


def _intensities(message: pb.Signals, path: str) -> SignalVector:
    signals = signals_from(message, path)
    check_signals(signals, path)
    return signals if any(signals) else NO_SIGNALS
