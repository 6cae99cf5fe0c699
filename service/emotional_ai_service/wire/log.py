"""What a log entry does, and the state of a session."""

import math

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.errors import CoreError, InvalidInput
from emotional_ai_service.core.expression import affect
from emotional_ai_service.core.names import NO_SIGNALS
from emotional_ai_service.core.timeline import (
    Configured,
    Entry,
    Happened,
    Moment,
    Restored,
    Skipped,
    Sustained,
)
from emotional_ai_service.wire.configuration import agent_from
from emotional_ai_service.wire.values import label_of, levels_from, signals_from, signals_to, vector_to


def stimulus_from(message: pb.Stimulus, path: str) -> Entry:
    """What a stimulus does. Raises InvalidInput, its path below `path`."""
    try:
        match message.WhichOneof("effect"):
            case "event":
                return Happened(signals_from(message.event, "event"))
            case "sustained":
                minutes = message.sustained.duration_minutes or math.inf
                return Sustained(signals_from(message.sustained.signals, "sustained.signals"), minutes)
            case "skip_minutes":
                return Skipped(message.skip_minutes)
            case _:
                raise InvalidInput("effect", "one of `event`, `sustained`, `skip_minutes` must be set")
    except CoreError as error:
        raise type(error)(f"{path}.{error.field}", error.description) from error


def entry_from(message: pb.LogEntry) -> Entry:
    """What a log entry after the first does. Raises CoreError for one that cannot be."""
    match message.WhichOneof("effect"):
        case "stimulus":
            return stimulus_from(message.stimulus, "stimulus")
        case "configured":
            return Configured(agent_from(message.configured, "configured"))
        case "reset":
            return Restored(levels_from(message.reset.levels) if message.reset.HasField("levels") else None)
        case _:
            raise InvalidInput("effect", "one of `stimulus`, `configured`, `reset` must be set")


def state_to(session_id: str, moment: Moment) -> pb.EmotionalState:
    """The contract's form of a moment."""
    message = pb.EmotionalState()
    write_state(message, session_id, moment)
    return message


def write_state(message: pb.EmotionalState, session_id: str, moment: Moment) -> None:
    """Fills a fresh message in place, which costs half of building one and copying it."""
    levels, baseline = moment.levels, moment.agent.dynamics.baseline
    message.session_id = session_id
    chemistry, time = message.chemistry, message.time
    chemistry.dopamine, chemistry.serotonin, chemistry.cortisol, chemistry.oxytocin = levels
    time.seconds, rest = divmod(moment.time_us, 1_000_000)
    time.nanos = rest * 1000
    message.simulated_minutes = moment.minutes
    message.version = moment.version
    message.label = label_of(moment.label)
    message.valence, message.arousal = affect(levels, baseline)
    if len(moment.flow) > 4:
        message.mood.CopyFrom(vector_to(moment.flow[4:]))
    if moment.sustained is not NO_SIGNALS and any(moment.sustained):
        message.sustained.CopyFrom(signals_to(moment.sustained))
