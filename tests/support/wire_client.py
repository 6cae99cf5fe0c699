"""The contract spoken without the SDK, for what the SDK takes care never to do; errors are read as the SDK reads them."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import grpc
import pytest
from loopback import PATIENCE

from emotional_ai import Client, EmotionalAIError
from emotional_ai.errors import raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub

UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


@contextmanager
def stub(address: str) -> Iterator[EmotionEngineStub]:
    """The engine over a channel that neither retries nor limits anything."""
    with grpc.insecure_channel(address, (("grpc.enable_retries", 0), *UNLIMITED)) as channel:
        yield EmotionEngineStub(channel)


def refused(call: Callable[[], object]) -> EmotionalAIError:
    """The error a call ends with."""
    with pytest.raises((grpc.RpcError, EmotionalAIError)) as caught:
        call()
    error = caught.value
    return error if isinstance(error, EmotionalAIError) else raised(error)


def refused_without_a_trace(client: Client, call: Callable[[], object]) -> EmotionalAIError:
    """The error of a call, once it is sure that the sessions are what they were."""
    before = client.export_json("ada"), [one.session_id for one in client.list_sessions()]
    error = refused(call)
    assert (client.export_json("ada"), [one.session_id for one in client.list_sessions()]) == before
    return error


def fields(error: EmotionalAIError) -> list[str]:
    """Paths of the fields an error names."""
    return [violation.field for violation in error.violations]


def event(**signals: float) -> pb.Stimulus:
    """An event of signals given by name."""
    return pb.Stimulus(event=pb.Signals(**signals))


class StreamCall:
    """One StreamState call, message by message; it acknowledges nothing by itself."""

    def __init__(self, engine: EmotionEngineStub) -> None:
        self._requests: queue.SimpleQueue[pb.StreamStateRequest | None] = queue.SimpleQueue()
        self._responses = engine.StreamState(iter(self._requests.get, None), timeout=PATIENCE)

    def send(self, request: pb.StreamStateRequest) -> None:
        """Sends any message."""
        self._requests.put(request)

    def open(
        self, session_id: str, *, credit: int = 0, interval_ms: int = 0, resume_token: str = ""
    ) -> pb.StreamStateResponse:
        """Opens the stream; returns the first response."""
        opened = pb.StreamOpen(session_id=session_id, credit=credit, interval_ms=interval_ms, resume_token=resume_token)
        self.send(pb.StreamStateRequest(open=opened))
        return self.receive()

    def batch(self, number: int, *stimuli: pb.Stimulus) -> None:
        """Sends a batch."""
        self.send(pb.StreamStateRequest(batch=pb.StimulusBatch(number=number, stimuli=stimuli)))

    def ack(self, sequence: int) -> None:
        """Gives credit back."""
        self.send(pb.StreamStateRequest(ack=pb.StreamAck(sequence=sequence)))

    def receive(self) -> pb.StreamStateResponse:
        """The next response."""
        return next(self._responses)

    def stored(self, number: int) -> pb.StreamStateResponse:
        """The first response that says batch `number` is stored; acknowledges it and those before it."""
        while True:
            response = self.receive()
            self.ack(response.sequence)
            if response.acknowledged_batch >= number:
                return response

    def finish(self) -> list[pb.StreamStateResponse]:
        """Closes the client's side; returns what still comes."""
        self._requests.put(None)
        return list(self._responses)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.put(None)
        self._responses.cancel()  # type: ignore[no-untyped-call]
