"""The rules that stand in the contract, applied to every request before a servicer sees it.

protovalidate decides and words the refusals. Requests of the hot path are first looked at by a quick test that accepts only
what protovalidate would accept, a few times faster; anything it does not accept is left to protovalidate to judge.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final

import protovalidate
from google.protobuf.message import Message

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_service.core.timeline import in_range
from emotional_ai_service.errors import InvalidRequest, Violation

_signals: Callable[[pb.Signals], tuple[float, ...]] = attrgetter(*SIGNALS)

MOST_PARTS: Final = 2000
"""A violation takes 25 us and a kilobyte, and two bytes can be one: four megabytes of them would hold the service up."""


def check(message: Message) -> None:
    """Raises InvalidRequest, naming every field that breaks a rule, unless the message keeps all of them.

    Of a message of more than MOST_PARTS parts only the first is named.
    """
    quick = QUICK.get(type(message))
    if quick is not None and quick(message):
        return
    violations = protovalidate.collect_violations(message, fail_fast=True)
    if violations and _within(message, MOST_PARTS) >= 0:
        violations = protovalidate.collect_violations(message)
    if violations:
        raise InvalidRequest([_violation(violation) for violation in violations])


def _within(message: Message, left: int) -> int:
    """How many more parts a message might have had of `left`, below zero if it has more."""
    for field, value in message.ListFields():
        parts = value if field.is_repeated else (value,)
        left -= len(parts)
        if field.message_type is not None:
            for part in parts:
                if left < 0:
                    return left
                left = _within(part, left)
    return left


def _violation(violation: protovalidate.Violation) -> Violation:
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
    value = violation.field_value
    shown = f", got {value!r}" if isinstance(value, int | float) else ""
    return Violation(path or "request", f"{violation.proto.message}{shown}")


def _acceptable_stimuli(stimuli: Iterable[pb.Stimulus]) -> bool:
    for stimulus in stimuli:
        if stimulus.WhichOneof("effect") != "event" or stimulus.note:
            return False
        if not in_range(_signals(stimulus.event)):
            return False
    return True


def _acceptable_apply(message: pb.ApplyStimuliRequest) -> bool:
    return (
        0 < len(message.session_id) <= 128
        and 0 < len(message.stimuli) <= 128
        and len(message.request_id) <= 128
        and _acceptable_stimuli(message.stimuli)
    )


def _acceptable_stream(message: pb.StreamStateRequest) -> bool:
    match message.WhichOneof("message"):
        case "ack":
            return True
        case "batch":
            batch = message.batch
            return batch.number > 0 and 0 < len(batch.stimuli) <= 128 and _acceptable_stimuli(batch.stimuli)
        case _:
            return False


def _acceptable_read(message: pb.GetStateRequest) -> bool:
    return 0 < len(message.session_id) <= 128


QUICK: Final[dict[type[Message], Callable[..., bool]]] = {
    pb.ApplyStimuliRequest: _acceptable_apply,
    pb.StreamStateRequest: _acceptable_stream,
    pb.GetStateRequest: _acceptable_read,
}
