"""A scripted Inference service that breaks off where a test wants it, after the words have moved the state or before.

The engine beside it is real; see `scripted_speech`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import grpc
from scripted_speech import Script, ScriptedInference, beside_an_engine, refuse

from emotional_ai.v1 import inference_pb2


@dataclass
class Fault:
    """Where a reply breaks off, and how."""

    before: str
    """The event it breaks off before: "started", "text" or "finished"; "appraisal" is before anything has happened."""
    code: grpc.StatusCode | None = grpc.StatusCode.UNAVAILABLE
    """None ends the reply as if that were all."""
    reason: str = "MODEL_UNAVAILABLE"
    after_pieces: int = 0
    """Pieces of text that come first."""


@dataclass
class Faltering(Script):
    """A script with faults, used up in order, one a reply."""

    faults: list[Fault] = field(default_factory=list)


class FalteringInference(ScriptedInference):
    """Plays a script with faults."""

    def __init__(self, script: Faltering, channel: grpc.Channel) -> None:
        super().__init__(script, channel)
        self._faults = script.faults

    def Converse(
        self, request: inference_pb2.ConverseRequest, context: grpc.ServicerContext
    ) -> Iterator[inference_pb2.ConverseResponse]:
        fault, pieces = self._faults.pop(0) if self._faults else None, 0
        if fault is not None and fault.before == "appraisal":
            _break_off(fault, context)
            return
        for event in super().Converse(request, context):
            kind = event.WhichOneof("event")
            if fault is not None and kind == fault.before and pieces >= fault.after_pieces:
                _break_off(fault, context)
                return
            pieces += kind == "text"
            yield event


def _break_off(fault: Fault, context: grpc.ServicerContext) -> None:
    if fault.code is not None:
        refuse(context, fault.code, fault.reason, "the decoder is being restarted")


def faltering_service(script: Faltering) -> AbstractContextManager[str]:
    """Serves the script beside a real engine; gives host:port."""
    return beside_an_engine(lambda channel: FalteringInference(script, channel))
