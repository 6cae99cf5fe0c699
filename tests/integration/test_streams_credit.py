"""StreamState: never more on its way than the credit, nothing lost in the folding, and what is misused is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import IN_MEMORY, PATIENCE, hosted_engine, in_file, service
from wire_client import StreamCall, event, fields, refused, stub

from emotional_ai import Client, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai_service.stores import MemoryStore


@pytest.fixture(scope="module", params=["memory", "file"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path: Path = tmp_path_factory.mktemp("streams") / "sessions.db"
    with service(IN_MEMORY if request.param == "memory" else in_file(path)) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


@pytest.fixture
def session_id(client: Client) -> str:
    return client.create_session().session_id


@pytest.fixture
def raw(address: str) -> Iterator[EmotionEngineStub]:
    with stub(address) as raw:
        yield raw


@pytest.fixture
def stream(raw: EmotionEngineStub) -> Iterator[StreamCall]:
    with StreamCall(raw) as stream:
        yield stream


@pytest.mark.parametrize("credit", [1, 2, 7])
def test_who_never_acknowledges_gets_no_more_than_the_credit(
    client: Client, stream: StreamCall, session_id: str, credit: int
) -> None:
    opened = stream.open(session_id, credit=credit)
    assert (opened.sequence, opened.coalesced, opened.state.version) == (1, 0, 1)
    for _ in range(credit - 1):
        client.apply(session_id, reward=0.1)
        stream.receive()
    for _ in range(20):
        client.apply(session_id, reward=0.01)
    (goodbye,) = stream.finish()
    assert goodbye.sequence == credit + 1
    assert goodbye.coalesced == 19
    assert goodbye.state.version == 1 + (credit - 1) + 20


def test_one_acknowledgement_brings_the_latest_state_and_the_count_of_what_it_holds(
    client: Client, stream: StreamCall, session_id: str
) -> None:
    stream.open(session_id, credit=1)
    for _ in range(10):
        client.apply(session_id, reward=0.01)
    stream.ack(1)
    response = stream.receive()
    assert (response.sequence, response.state.version, response.coalesced) == (2, 11, 9)


def test_a_batch_stored_at_once_is_answered_by_the_state_just_after_it() -> None:
    with service(IN_MEMORY) as address, stub(address) as raw, StreamCall(raw) as stream:
        raw.CreateSession(pb.CreateSessionRequest(session_id="ada"))
        stream.open("ada", credit=8)
        for number in (1, 2, 3):
            stream.batch(number, event(reward=0.2), event(loss=0.1))
            answered = stream.receive()
            *_, last = raw.GetHistory(pb.GetHistoryRequest(session_id="ada")).entries
            assert (answered.acknowledged_batch, answered.state.version) == (number, last.sequence)
            assert answered.state.time == last.time


def test_an_acknowledgement_of_what_was_not_sent_gives_no_more_credit_than_there_was(
    client: Client, stream: StreamCall, session_id: str
) -> None:
    stream.open(session_id, credit=1)
    stream.ack(1_000_000)
    client.apply(session_id, reward=0.1)
    assert stream.receive().sequence == 2
    for _ in range(5):
        client.apply(session_id, reward=0.01)
    (goodbye,) = stream.finish()
    assert goodbye.sequence == 3
    assert goodbye.coalesced == 4


def test_the_default_credit_is_four(client: Client, stream: StreamCall, session_id: str) -> None:
    stream.open(session_id)
    for _ in range(3):
        client.apply(session_id, reward=0.1)
        stream.receive()
    for _ in range(3):
        client.apply(session_id, reward=0.1)
    assert stream.finish()[0].sequence == 5


def test_batches_are_acknowledged_once_stored_and_no_change_is_lost_in_the_count(
    client: Client, stream: StreamCall, session_id: str
) -> None:
    stream.open(session_id, credit=2)
    for number in range(1, 101):
        stream.batch(number, event(reward=0.01), event(loss=0.01))
    counted = acknowledged = 0
    while acknowledged < 100:
        response = stream.receive()
        assert response.acknowledged_batch >= acknowledged
        assert response.state.version >= 1 + 2 * response.acknowledged_batch
        acknowledged = response.acknowledged_batch
        counted += 1 + response.coalesced
        stream.ack(response.sequence)
    assert client.state(session_id).version == 201
    assert counted <= 201


def test_an_interval_sends_while_credit_lasts(stream: StreamCall, session_id: str) -> None:
    assert stream.open(session_id, credit=3, interval_ms=1).sequence == 1
    ticks = [stream.receive(), stream.receive()]
    assert [tick.sequence for tick in ticks] == [2, 3]
    assert {(tick.state.version, tick.coalesced) for tick in ticks} == {(1, 0)}
    stream.ack(3)
    assert stream.receive().sequence == 4


def test_many_streams_share_a_session(client: Client, raw: EmotionEngineStub, session_id: str) -> None:
    with StreamCall(raw) as first, StreamCall(raw) as second, client.watch(session_id) as watch:
        first.open(session_id)
        second.open(session_id)
        for number in range(1, 11):
            first.batch(number, event(reward=0.1))
            second.batch(number, event(loss=0.1))
        first.stored(10)
        second.stored(10)
        versions = [state.version for state in latest(iter(watch), 21)]
    assert versions == sorted(set(versions))
    log = client.export_session(session_id).entries
    assert sum(entry.stimulus.event.reward == 0.1 for entry in log) == 10
    assert sum(entry.stimulus.event.loss == 0.1 for entry in log) == 10


def latest(states: Iterator[pb.EmotionalState], version: int) -> Iterator[pb.EmotionalState]:
    for state in states:
        yield state
        if state.version >= version:
            return


def send_batch_first(stream: StreamCall, session_id: str) -> None:
    stream.batch(1, event(reward=0.1))


def open_twice(stream: StreamCall, session_id: str) -> None:
    stream.open(session_id)
    stream.send(pb.StreamStateRequest(open=pb.StreamOpen(session_id=session_id)))


def ack_first(stream: StreamCall, session_id: str) -> None:
    stream.ack(1)


@pytest.mark.parametrize(
    ("misuse", "told"),
    [(send_batch_first, "first message"), (ack_first, "first message"), (open_twice, "only be the first")],
)
def test_a_stream_out_of_order_is_refused(
    client: Client, stream: StreamCall, session_id: str, misuse: Callable[[StreamCall, str], None], told: str
) -> None:
    misuse(stream, session_id)
    error = refused(stream.receive)
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "STREAM_MISUSED"
    assert told in str(error)
    assert client.state(session_id).version == 1


BAD: dict[str, tuple[pb.StreamStateRequest, str]] = {
    "nothing": (pb.StreamStateRequest(), ""),
    "gap": (pb.StreamStateRequest(batch=pb.StimulusBatch(number=3, stimuli=[event(reward=0.1)])), "batch.number"),
    "no number": (pb.StreamStateRequest(batch=pb.StimulusBatch(stimuli=[event(reward=0.1)])), "batch.number"),
    "no stimuli": (pb.StreamStateRequest(batch=pb.StimulusBatch(number=2)), "batch.stimuli"),
    "129 stimuli": (
        pb.StreamStateRequest(batch=pb.StimulusBatch(number=2, stimuli=[event(reward=0.1)] * 129)),
        "batch.stimuli",
    ),
    "not a number": (
        pb.StreamStateRequest(batch=pb.StimulusBatch(number=2, stimuli=[event(reward=0.1), event(loss=float("nan"))])),
        "batch.stimuli[1].event.loss",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_message_ends_the_stream_by_field_and_keeps_what_was_stored(
    client: Client, stream: StreamCall, session_id: str, what: str
) -> None:
    request, field = BAD[what]
    stream.open(session_id)
    stream.batch(1, event(praise=0.5))
    stream.stored(1)
    stream.send(request)
    error = refused(stream.finish)
    assert isinstance(error, InvalidArgument)
    if field:
        assert fields(error) == [field]
    assert client.state(session_id).version == 2


def test_a_stream_to_nobody_or_with_too_much_credit_is_refused(raw: EmotionEngineStub, session_id: str) -> None:
    with StreamCall(raw) as stream:
        assert isinstance(refused(lambda: stream.open("nobody")), NotFound)
    with StreamCall(raw) as stream:
        assert fields(refused(lambda: stream.open(session_id, credit=65))) == ["open.credit"]


def test_a_message_over_4_mib_ends_its_stream_and_nothing_else(
    client: Client, raw: EmotionEngineStub, stream: StreamCall, session_id: str
) -> None:
    note = pb.Stimulus(event=pb.Signals(reward=0.5), note="n" * 256)
    with StreamCall(raw) as other:
        stream.open(session_id)
        other.open(session_id)
        stream.batch(1, *[note] * 20_000)
        assert isinstance(refused(stream.finish), ResourceExhausted)
        other.batch(1, event(reward=0.1))
        assert other.stored(1).state.version == 2
    assert client.state(session_id).version == 2


def test_streams_that_were_cancelled_leave_nothing_behind() -> None:
    with hosted_engine(MemoryStore) as running, Client(running.address) as client, stub(running.address) as raw:
        client.create_session("ada")
        session = running.on_loop(lambda: running.engine.session("ada"))
        for _ in range(5):
            with StreamCall(raw) as stream:
                stream.open("ada")
                stream.batch(1, event(reward=0.1))
            watch = raw.WatchState(pb.WatchStateRequest(session_id="ada", interval_ms=50), timeout=PATIENCE)
            next(watch)
            watch.cancel()  # type: ignore[no-untyped-call]
        # Each round trip lets the service hear of what was cancelled before it.
        for _ in range(2_000):
            if session.idle:
                break
            client.state("ada")
        assert not session.subscriptions
        assert session.idle
