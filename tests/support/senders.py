"""Clients that send until everything is acknowledged, whatever breaks meanwhile; and what must be in the log afterwards.

sender.send(engine)              over one connection, until all is acknowledged or it breaks
send_to_any(sender, addresses)   the same, going on at the next address where it breaks
assert_stored, assert_whole      nothing acknowledged lost; everything once, in its order
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import grpc
from lives import replayed, same
from loopback import PATIENCE
from wire_client import StreamCall, event, stub

from emotional_ai import Client
from emotional_ai.errors import raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub

WINDOW = 16
"""Batches of a stream on their way at a time."""
GOES_ON = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
"""How a call ends whose service is killed, is about to end, or cannot reach its store: the next may take it."""


class Tally:
    """Counts acknowledged stimuli; what is to happen at a number of them is called, once, by the thread that reaches it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._events: list[tuple[int, Callable[[], None]]] = []

    def at(self, count: int, event: Callable[[], None]) -> None:
        """Has `event` called at that many stimuli."""
        self._events.append((count, event))

    def add(self, stimuli: int) -> None:
        """Counts stimuli that were acknowledged."""
        with self._lock:
            before, self._count = self._count, self._count + stimuli
            for count, event in self._events:
                if before < count <= self._count:
                    event()


@dataclass(slots=True)
class StreamSender:
    """Sends numbered batches over a stream, each stimulus marked in its note."""

    name: str
    session_id: str
    tally: Tally
    batches: int
    size: int
    """Stimuli in a batch."""
    token: str = ""
    acknowledged: int = 0

    @property
    def done(self) -> bool:
        """Whether everything is acknowledged."""
        return self.acknowledged == self.batches

    @property
    def stimuli(self) -> int:
        """How many it sends in all."""
        return self.batches * self.size

    def send(self, engine: EmotionEngineStub) -> None:
        """Until all is acknowledged, or the stream ends or breaks."""
        with StreamCall(engine) as stream:
            opened = stream.open(self.session_id, credit=8, resume_token=self.token)
            assert opened.acknowledged_batch >= self.acknowledged, "an acknowledged batch was lost"
            self.token = opened.resume_token
            stream.ack(1)
            # From what this side knows, not from what the service says: what is stored already must not apply again.
            sent, draining = self.acknowledged, False
            while not self.done and not draining:
                while sent < min(self.acknowledged + WINDOW, self.batches):
                    sent += 1
                    stream.batch(sent, *marked(f"{self.name}.{sent}", self.size))
                response = stream.receive()
                stream.ack(response.sequence)
                draining = response.draining
                self.tally.add((response.acknowledged_batch - self.acknowledged) * self.size)
                self.acknowledged = response.acknowledged_batch


@dataclass(slots=True)
class UnarySender:
    """Writes one stimulus a call, each under its own request id."""

    name: str
    session_id: str
    tally: Tally
    writes: int
    acknowledged: int = 0
    repeated: list[int] = field(default_factory=list)
    """Writes that turned out to have been applied before."""
    size: int = 1

    @property
    def done(self) -> bool:
        """Whether everything is acknowledged."""
        return self.acknowledged == self.writes

    @property
    def stimuli(self) -> int:
        """How many it sends in all."""
        return self.writes

    def send(self, engine: EmotionEngineStub) -> None:
        """Until all is acknowledged, or a call fails."""
        for number in range(self.acknowledged + 1, self.writes + 1):
            name = f"{self.name}.{number}"
            request = pb.ApplyStimuliRequest(session_id=self.session_id, stimuli=marked(name, 1), request_id=name)
            if engine.ApplyStimuli(request, timeout=PATIENCE).duplicate:
                self.repeated.append(number)
            self.tally.add(1)
            self.acknowledged = number


Sender = StreamSender | UnarySender


def marked(name: str, count: int) -> list[pb.Stimulus]:
    """Stimuli whose notes say whose they are and where they stand."""
    stimuli = [event(reward=0.02 * (index % 7), loss=0.01 * (index % 5)) for index in range(count)]
    for index, stimulus in enumerate(stimuli):
        stimulus.note = f"{name}.{index}"
    return stimuli


def send_until_killed(sender: Sender, address: str) -> grpc.StatusCode:
    """How the sending ended."""
    with stub(address) as engine:
        try:
            sender.send(engine)
        except grpc.RpcError as error:
            return raised(error).code
    return grpc.StatusCode.OK


def send_to_any(sender: Sender, addresses: Sequence[str]) -> None:
    """Sends everything, at the next address wherever one breaks. Raises EmotionalAIError for what no other address mends."""
    for address in cycle(addresses):
        with stub(address) as engine:
            try:
                sender.send(engine)
            except grpc.RpcError as error:
                if raised(error).code not in GOES_ON:
                    raise raised(error) from error
        if sender.done:
            return


def assert_stored(log: Sequence[pb.LogEntry], senders: Sequence[Sender], session_id: str) -> None:
    """Everything that was acknowledged is in the log."""
    notes = {entry.stimulus.note for entry in log}
    for sender in senders:
        if sender.session_id == session_id:
            numbers = range(1, sender.acknowledged + 1)
            assert {f"{sender.name}.{n}.{i}" for n in numbers for i in range(sender.size)} <= notes


def assert_whole(client: Client, senders: Sequence[Sender], session_id: str) -> None:
    """Every stimulus once, in the order of its sender, and the state their replay."""
    log = client.export_session(session_id).entries
    notes = [entry.stimulus.note for entry in log[1:]]
    assert len(notes) == len(set(notes)) == sum(one.stimuli for one in senders if one.session_id == session_id)
    for name in {note.partition(".")[0] for note in notes}:
        order = [tuple(map(int, note.split(".")[1:])) for note in notes if note.startswith(f"{name}.")]
        assert order == sorted(order)
    state = client.state(session_id)
    assert state.version == len(log)
    assert same(state, replayed(log)[-1].at(state.time.ToMicroseconds()))
