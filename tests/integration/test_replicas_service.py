"""Two processes of the service over one Redis: to a client they are one."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import grpc
import pytest
from lives import replayed, same
from loopback import PATIENCE
from replicas import redis, replica
from wire_client import StreamCall, event, refused, stub

from emotional_ai import Aborted, AlreadyExists, Client, NotFound
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub

THREADS = 4
WRITES = 25
HOUR = 3_600
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair:
    """Clients of two replicas."""

    one: Client
    other: Client
    raw: EmotionEngineStub
    raw_other: EmotionEngineStub


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with ExitStack() as stack:
        server = stack.enter_context(redis(tmp_path_factory.mktemp("redis")))
        addresses = [stack.enter_context(replica(server)).address for _ in range(2)]
        one, other = (stack.enter_context(Client(address)) for address in addresses)
        raw, raw_other = (stack.enter_context(stub(address)) for address in addresses)
        yield Pair(one, other, raw, raw_other)


def test_what_one_acknowledged_the_other_tells_at_once(pair: Pair) -> None:
    pair.one.create_session("seen")
    for number in range(1, 11):
        writer, reader = (pair.one, pair.other) if number % 2 else (pair.other, pair.one)
        assert writer.apply("seen", reward=0.1).version == number + 1
        assert reader.state("seen").version == number + 1
    assert "seen" in {one.session_id for one in pair.other.list_sessions()}


def test_both_feel_the_same_to_the_bit_and_look_back_at_the_same_life(pair: Pair) -> None:
    config = pb.SessionConfig(dynamics=pb.DynamicsConfig(mood=pb.MoodConfig(), habituation=pb.HabituationConfig()))
    pair.one.create_session("bits", config=config)
    for number in range(20):
        (pair.one, pair.other)[number % 2].apply("bits", reward=0.3, loss=0.1 * (number % 3))
    pair.other.reset_session("bits")
    pair.one.apply("bits", praise=0.7)
    last = pair.one.state("bits").time
    at = last.ToDatetime().timestamp() + HOUR
    states = [raw.GetState(state_at("bits", at)).state.SerializeToString() for raw in (pair.raw, pair.raw_other)]
    assert states[0] == states[1]
    logs = [client.export_session("bits").entries for client in (pair.one, pair.other)]
    assert logs[0] == logs[1]
    state = pair.other.state("bits")
    assert same(state, replayed(logs[0])[-1].at(state.time.ToMicroseconds()))


def state_at(session_id: str, seconds: float) -> pb.GetStateRequest:
    request = pb.GetStateRequest(session_id=session_id)
    request.at.seconds = int(seconds)
    return request


def test_a_watcher_at_one_sees_every_stimulus_applied_at_the_other(pair: Pair) -> None:
    pair.one.create_session("watched")
    seen: list[pb.WatchStateResponse] = []
    first = threading.Event()

    def watch() -> None:
        for response in pair.raw_other.WatchState(pb.WatchStateRequest(session_id="watched"), timeout=PATIENCE):
            seen.append(response)
            first.set()
            if response.state.version == 21:
                return

    watching = threading.Thread(target=watch)
    watching.start()
    assert first.wait(PATIENCE)
    for _ in range(20):
        pair.one.apply("watched", reward=0.05)
    watching.join(PATIENCE)
    assert seen[-1].state.version == 21
    versions = [response.state.version for response in seen]
    assert versions == sorted(versions)
    assert [one.coalesced for one in seen[1:]] == [b - a - 1 for a, b in pairwise(versions)]


def test_a_stream_at_one_tells_what_is_applied_at_the_other(pair: Pair) -> None:
    pair.one.create_session("told")
    with StreamCall(pair.raw_other) as stream:
        stream.open("told")
        stream.ack(1)
        pair.one.apply("told", reward=0.1)
        response = stream.receive()
        assert (response.state.version, response.acknowledged_batch) == (2, 0)


def test_a_request_applies_once_wherever_and_however_often_it_is_sent(pair: Pair) -> None:
    made = at_once(lambda client, _: client.create_session("once", request_id="c").session_id, pair)
    assert set(made) == {"once"}
    sent = at_once(
        lambda client, index: client.apply_stimuli("once", [event(reward=0.1)], request_id=f"r{index % 5}"), pair
    )
    assert sum(not answer.duplicate for answer in sent) == 5
    assert pair.one.state("once").version == pair.other.state("once").version == 6
    with pytest.raises(AlreadyExists):
        pair.other.create_session("once", request_id="d")


def at_once(call: Callable[[Client, int], T], pair: Pair) -> list[T]:
    """What a call comes to that is made of both replicas by several threads at a time."""
    with ThreadPoolExecutor(2 * THREADS) as pool:
        calls = [pool.submit(call, (pair.one, pair.other)[index % 2], index // 2) for index in range(2 * 5 * THREADS)]
        return [one.result(PATIENCE) for one in calls]


def test_writers_that_race_through_both_all_succeed_and_their_writes_are_in_one_order(pair: Pair) -> None:
    pair.one.create_session("raced")
    versions = at_once(lambda client, _: client.apply("raced", reward=0.01).version, pair)
    assert sorted(versions) == list(range(2, len(versions) + 2))


def test_of_many_writers_at_one_version_one_is_first(pair: Pair) -> None:
    pair.one.create_session("first")

    def attempt(client: Client, _: int) -> bool:
        try:
            client.apply("first", reward=0.1, expected_version=1)
        except Aborted as error:
            return error.reason != "VERSION_MISMATCH"
        return True

    assert sum(at_once(attempt, pair)) == 1
    assert pair.one.state("first").version == 2


def test_a_stream_goes_on_at_the_other_replica_while_the_first_still_lies_open(pair: Pair) -> None:
    pair.one.create_session("resumed")
    with StreamCall(pair.raw) as forsaken, StreamCall(pair.raw_other) as stream:
        token = forsaken.open("resumed").resume_token
        for number in range(1, 6):
            forsaken.batch(number, event(reward=number / 100))
        forsaken.stored(5)
        opened = stream.open("resumed", resume_token=token)
        assert (opened.acknowledged_batch, opened.resume_token) == (5, token)
        for number in range(4, 9):
            stream.batch(number, event(reward=number / 100))
        stream.stored(8)
        forsaken.batch(6, event(reward=0.06))  # What a proxy kept back, say.
        assert forsaken.stored(6).acknowledged_batch == 8
    log = pair.one.export_session("resumed").entries
    assert [entry.stimulus.event.reward for entry in log[1:]] == [number / 100 for number in range(1, 9)]


def test_streams_and_calls_through_both_at_once_keep_the_order_of_each(pair: Pair) -> None:
    pair.one.create_session("busy")

    def batches(raw: EmotionEngineStub, name: str) -> None:
        with StreamCall(raw) as stream:
            stream.open("busy")
            for number in range(1, WRITES + 1):
                stimuli = [
                    pb.Stimulus(event=pb.Signals(reward=0.01), note=f"{name}.{number}.{part}") for part in range(3)
                ]
                stream.batch(number, *stimuli)
            stream.stored(WRITES)

    def calls(client: Client, name: str) -> None:
        for number in range(1, WRITES + 1):
            stimulus = pb.Stimulus(event=pb.Signals(loss=0.01), note=f"{name}.{number}.0")
            client.apply_stimuli("busy", [stimulus], request_id=f"{name}.{number}")

    with ThreadPoolExecutor(4) as pool:
        work = [
            pool.submit(batches, pair.raw, "s0"),
            pool.submit(batches, pair.raw_other, "s1"),
            pool.submit(calls, pair.one, "w0"),
            pool.submit(calls, pair.other, "w1"),
        ]
        for one in work:
            one.result(PATIENCE)
    log = pair.one.export_session("busy").entries
    notes = [entry.stimulus.note for entry in log[1:]]
    assert len(notes) == len(set(notes)) == WRITES * (3 + 3 + 1 + 1)
    for name in ("s0", "s1", "w0", "w1"):
        order = [tuple(map(int, note.split(".")[1:])) for note in notes if note.startswith(f"{name}.")]
        assert order == sorted(order)
    state = pair.other.state("busy")
    assert same(state, replayed(log)[-1].at(state.time.ToMicroseconds()))


def test_a_session_deleted_at_one_is_gone_at_the_other_and_a_new_one_of_its_id_is_another(pair: Pair) -> None:
    pair.one.create_session("gone")
    pair.other.apply("gone", reward=0.9)
    watching = pair.raw_other.WatchState(pb.WatchStateRequest(session_id="gone"), timeout=PATIENCE)
    assert next(watching).state.version == 2
    pair.one.delete_session("gone")
    assert refused(lambda: list(watching)).code is grpc.StatusCode.NOT_FOUND
    with pytest.raises(NotFound):
        pair.other.state("gone")
    pair.one.create_session("gone")
    assert pair.other.apply("gone", reward=0.1).version == 2
    assert [len(client.export_session("gone").entries) for client in (pair.one, pair.other)] == [2, 2]
