"""A moment of a session as bytes, exact to the bit, so that bringing a session into memory need not replay its whole log."""

import math
import struct
from typing import Final

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS
from emotional_ai_service.core.timeline import Moment
from emotional_ai_service.wire import agent_from, config_to

_FORM: Final = b"moment/2"
"""Changes whenever bytes written before mean something else, or the fold does."""
_HEAD: Final = struct.Struct("<8sqqqdqqd")
"""The form, created_us, time_us, version, minutes, label, number of flow values, minutes the sustained signals still hold."""


def moment_to(created_us: int, moment: Moment) -> bytes:
    """Bytes of a moment; `created_us` is when its session was created."""
    head = _HEAD.pack(
        _FORM,
        created_us,
        moment.time_us,
        moment.version,
        moment.minutes,
        moment.label,
        len(moment.flow),
        moment.sustained_minutes,
    )
    values = (*moment.flow, *moment.habituation, *moment.sustained)
    return head + struct.pack(f"<{len(values)}d", *values) + config_to(moment.agent).SerializeToString()


def moment_from(payload: bytes) -> tuple[int, Moment] | None:
    """Creation time of the session and the moment; None for bytes of another form, whose session its log can replay."""
    if not payload.startswith(_FORM):
        return None
    _, created_us, time_us, version, minutes, label, size, left = _HEAD.unpack_from(payload)
    values = struct.unpack_from(f"<{size + 2 * len(SIGNALS)}d", payload, _HEAD.size)
    config = payload[_HEAD.size + 8 * len(values) :]
    flow, habituation = values[:size], values[size : size + len(SIGNALS)]
    sustained = values[size + len(SIGNALS) :]
    moment = Moment(
        agent_from(pb.SessionConfig.FromString(config)),
        time_us,
        minutes,
        version,
        flow,
        habituation if any(habituation) else NO_SIGNALS,
        sustained if any(sustained) else NO_SIGNALS,
        left if any(sustained) else math.inf,
        label,
    )
    return created_us, moment
