"""kill -9 in the middle of ten thousand stimuli: none acknowledged is lost, none is doubled, and the state is the log's."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from lives import replayed, same
from loopback import PATIENCE, service_process
from wire_client import StreamCall, event, stub

from emotional_ai import Client
from emotional_ai.errors import raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub

STREAMS, BATCHES, IN_A_BATCH = 4, 140, 16
WRITERS, WRITES = 2, 540
WINDOW = 16
"""Batches of a stream on their way at a time."""
STIMULI = STREAMS * BATCHES * IN_A_BATCH + WRITERS * WRITES
FATAL = STIMULI // 2
"""Acknowledged stimuli at which the service is killed."""
SESSIONS = ("ada", "grace")


class Tally:
    """Counts acknowledged stimuli; `at_fatal` is called, once, by the thread that reaches `FATAL` of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self.at_fatal: Callable[[], None] = lambda: None

    def add(self, stimuli: int) -> None:
        with self._lock:
            before, self._count = self._count, self._count + stimuli
            if before < FATAL <= self._count:
                self.at_fatal()


@dataclass(slots=True)
class Sender:
    """Sends numbered batches over a stream, each stimulus marked in its note, until all are stored or the stream breaks."""

    name: str
    session_id: str
    tally: Tally
    token: str = ""
    acknowledged: int = 0

    def send(self, engine: EmotionEngineStub) -> None:
        with StreamCall(engine) as stream:
            opened = stream.open(self.session_id, credit=8, resume_token=self.token)
            assert opened.acknowledged_batch >= self.acknowledged, "an acknowledged batch was lost"
            self.token = opened.resume_token
            stream.ack(1)
            # From what this side knows, not from what the service says: what is stored already must not apply again.
            sent = self.acknowledged
            while self.acknowledged < BATCHES:
                while sent < min(self.acknowledged + WINDOW, BATCHES):
                    sent += 1
                    stream.batch(sent, *marked(f"{self.name}.{sent}", IN_A_BATCH))
                response = stream.receive()
                stream.ack(response.sequence)
                self.tally.add((response.acknowledged_batch - self.acknowledged) * IN_A_BATCH)
                self.acknowledged = response.acknowledged_batch


@dataclass(slots=True)
class Writer:
    """Writes one stimulus a call, each under its own request id, until all are stored or the service is gone."""

    name: str
    session_id: str
    tally: Tally
    acknowledged: int = 0
    repeated: list[int] = field(default_factory=list)

    def send(self, engine: EmotionEngineStub) -> None:
        for number in range(self.acknowledged + 1, WRITES + 1):
            name = f"{self.name}.{number}"
            request = pb.ApplyStimuliRequest(session_id=self.session_id, stimuli=marked(name, 1), request_id=name)
            if engine.ApplyStimuli(request, timeout=PATIENCE).duplicate:
                self.repeated.append(number)
            self.tally.add(1)
            self.acknowledged = number


def marked(name: str, count: int) -> list[pb.Stimulus]:
    stimuli = [event(reward=0.02 * (index % 7), loss=0.01 * (index % 5)) for index in range(count)]
    for index, stimulus in enumerate(stimuli):
        stimulus.note = f"{name}.{index}"
    return stimuli


def send_until_killed(sender: Sender | Writer, address: str) -> grpc.StatusCode:
    """How the sending ended."""
    with stub(address) as engine:
        try:
            sender.send(engine)
        except grpc.RpcError as error:
            return raised(error).code
    return grpc.StatusCode.OK


def test_nothing_acknowledged_is_lost_and_nothing_applies_twice(tmp_path: Path) -> None:
    db, tally = tmp_path / "sessions.db", Tally()
    streaming = [Sender(f"s{index}", SESSIONS[index % 2], tally) for index in range(STREAMS)]
    writing = [Writer(f"w{index}", SESSIONS[index % 2], tally) for index in range(WRITERS)]
    senders: list[Sender | Writer] = [*streaming, *writing]
    with ThreadPoolExecutor(len(senders)) as pool:
        with service_process("--engine-only", db=db) as served:
            with Client(served.address) as client:
                for session_id in SESSIONS:
                    client.create_session(session_id)
            tally.at_fatal = served.kill
            sending = [pool.submit(send_until_killed, one, served.address) for one in senders]
            assert {one.result(PATIENCE) for one in sending} == {grpc.StatusCode.UNAVAILABLE}
        acknowledged = [one.acknowledged for one in senders]
        with (
            service_process("--engine-only", db=db) as served,
            Client(served.address) as client,
            stub(served.address) as raw,
        ):
            for session_id in SESSIONS:
                assert_stored(client.export_session(session_id).entries, senders, session_id)
            for one in [pool.submit(sender.send, raw) for sender in senders]:
                one.result(PATIENCE)
            for session_id in SESSIONS:
                assert_whole(client, session_id)
    for one, before in zip(senders, acknowledged, strict=True):
        if isinstance(one, Writer):
            assert all(number > before for number in one.repeated)
            assert len(one.repeated) <= 1


def assert_stored(log: Sequence[pb.LogEntry], senders: list[Sender | Writer], session_id: str) -> None:
    """Everything that was acknowledged is in the log."""
    notes = {entry.stimulus.note for entry in log}
    for sender in senders:
        if sender.session_id == session_id:
            size = IN_A_BATCH if isinstance(sender, Sender) else 1
            expected = {f"{sender.name}.{n}.{i}" for n in range(1, sender.acknowledged + 1) for i in range(size)}
            assert expected <= notes


def assert_whole(client: Client, session_id: str) -> None:
    """Every stimulus once, in the order of its sender, and the state their replay."""
    log = client.export_session(session_id).entries
    notes = [entry.stimulus.note for entry in log[1:]]
    assert len(notes) == len(set(notes)) == STIMULI // len(SESSIONS)
    for name in {note.partition(".")[0] for note in notes}:
        order = [tuple(map(int, note.split(".")[1:])) for note in notes if note.startswith(f"{name}.")]
        assert order == sorted(order)
    state = client.state(session_id)
    assert state.version == len(log)
    assert same(state, replayed(log)[-1].at(state.time.ToMicroseconds()))
