"""StreamState over interruptions: a batch sent again applies once, and the drain says where to go on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import PATIENCE, hosted, in_file, service
from replicas import PLACES, kept
from wire_client import StreamCall, event, stub

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.settings import Settings

STREAMS = 100


@pytest.fixture(params=PLACES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    with kept(request.param, tmp_path) as settings:
        yield settings


def test_batches_sent_again_with_the_token_apply_once(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client, stub(address) as raw:
        client.create_session("ada")
        with StreamCall(raw) as stream:
            token = stream.open("ada").resume_token
            for number in range(1, 11):
                stream.batch(number, event(reward=number / 100))
            stream.stored(4)
        with StreamCall(raw) as stream:
            resumed = stream.open("ada", resume_token=token)
            assert resumed.resume_token == token
            assert 4 <= resumed.acknowledged_batch <= 10
            for number in range(5, 13):
                stream.batch(number, event(reward=number / 100))
            stream.stored(12)
        log = client.export_session("ada").entries
        assert [entry.stimulus.event.reward for entry in log[1:]] == [number / 100 for number in range(1, 13)]


def test_the_same_numbers_without_the_token_are_new_batches(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client, stub(address) as raw:
        client.create_session("ada")
        for _ in range(2):
            with StreamCall(raw) as stream:
                stream.open("ada")
                stream.batch(1, event(reward=0.1))
                stream.stored(1)
        assert client.state("ada").version == 3


def test_a_token_is_known_after_a_restart(tmp_path: Path) -> None:
    settings = in_file(tmp_path / "sessions.db")
    with service(settings) as address, Client(address) as client, stub(address) as raw, StreamCall(raw) as stream:
        client.create_session("ada")
        token = stream.open("ada").resume_token
        stream.batch(1, event(reward=0.1))
        stream.stored(1)
    with service(settings) as address, Client(address) as client, stub(address) as raw, StreamCall(raw) as stream:
        assert stream.open("ada", resume_token=token).acknowledged_batch == 1
        stream.batch(1, event(reward=0.1))
        stream.batch(2, event(reward=0.2))
        assert stream.stored(2).state.version == 3


def test_a_stream_that_is_closed_says_what_is_stored(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client, stub(address) as raw, StreamCall(raw) as stream:
        client.create_session("ada")
        token = stream.open("ada", credit=64).resume_token
        for number in range(1, 21):
            stream.batch(number, event(reward=0.01))
        last = stream.finish()[-1]
        assert (last.acknowledged_batch, last.resume_token, last.draining) == (20, token, False)
        assert last.state.version == 21


def test_every_open_stream_is_told_where_to_go_on_when_the_service_ends(settings: Settings) -> None:
    with hosted(settings) as running, Client(running.address) as client, stub(running.address) as raw:
        client.create_session("ada")
        streams = [StreamCall(raw) for _ in range(STREAMS)]
        tokens = [stream.open("ada", credit=1).resume_token for stream in streams]
        for stream in streams:
            stream.batch(1, event(reward=0.01))
        client.apply("ada", loss=0.1)
        running.stop()
        endings = [rest(stream) for stream in streams]
    for token, last in zip(tokens, endings, strict=True):
        assert last.draining
        assert last.resume_token == token
        assert last.acknowledged_batch in {0, 1}
    assert len(set(tokens)) == STREAMS


def rest(stream: StreamCall) -> pb.StreamStateResponse:
    """The last response of a stream that the service ends."""
    last = stream.receive()
    while not last.draining:
        last = stream.receive()
    with pytest.raises(StopIteration):
        stream.receive()
    return last


def test_a_client_carries_a_stream_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    with hosted(in_file(path)) as running, Client(running.address) as client:
        client.create_session("ada")
        port = int(running.address.rpartition(":")[2])
        with client.stream("ada") as stream:
            for _ in range(20):
                stream.send(reward=0.01)
            stream.flush(PATIENCE)
            running.end()
            for _ in range(20):
                stream.send(reward=0.02)
            with service(replace(in_file(path), port=port)) as address, Client(address) as other:
                stream.flush(PATIENCE)
                log = other.export_session("ada").entries
        assert [entry.stimulus.event.reward for entry in log[1:]] == [0.01] * 20 + [0.02] * 20
