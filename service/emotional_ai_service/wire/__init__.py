"""Contract messages to core values and back: the only place that knows both.

values           labels, times, signals, levels
configuration    what a session is configured to
log              what an entry does, and the state of a session

Reading a message raises the core's errors, whose paths are those of the contract; writing never fails.
"""

from emotional_ai_service.wire.configuration import agent_from, config_to, dynamics_from
from emotional_ai_service.wire.log import entry_from, state_to, stimulus_from, write_state
from emotional_ai_service.wire.values import (
    check_mood,
    check_time,
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

__all__ = [
    "agent_from",
    "check_mood",
    "check_time",
    "config_to",
    "dynamics_from",
    "entry_from",
    "label_of",
    "levels_from",
    "levels_to",
    "microseconds",
    "signals_from",
    "signals_to",
    "state_to",
    "stimulus_from",
    "timestamp",
    "vector_from",
    "vector_to",
    "write_state",
]
