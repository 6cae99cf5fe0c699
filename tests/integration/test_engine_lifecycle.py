"""Sessions over their lives: copied, listed, put back, deleted, and brought back from the store exactly."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from lives import apart, numbers, replayed, same
from loopback import IN_MEMORY, in_file, service
from wire_client import StreamCall, event, refused, stub

from emotional_ai import Chemistry, Client, NotFound, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.engine import SNAPSHOT_EVERY

RICH = SessionConfig(
    dynamics=pb.DynamicsConfig(
        mood=pb.MoodConfig(), circadian=pb.CircadianConfig(), habituation=pb.HabituationConfig(), time_scale=60
    ),
    expression=pb.ExpressionConfig(label_hysteresis=0.3),
)


@pytest.fixture
def address() -> Iterator[str]:
    with service() as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def later(state: pb.EmotionalState, minutes: int) -> Timestamp:
    return Timestamp(seconds=state.time.seconds + 60 * minutes, nanos=state.time.nanos)


def lived(client: Client, session_id: str) -> pb.EmotionalState:
    """A session with mood, habituation and a condition that still holds."""
    client.create_session(session_id, config=RICH)
    client.apply_stimuli(session_id, [event(praise=0.9), event(praise=0.9, threat=0.2), event(loss=0.7)])
    client.sustain(session_id, uncertainty=0.4, minutes=100_000)
    return client.apply(session_id, conflict=0.6)


def test_a_copy_by_export_and_import_feels_the_same_then_and_later(client: Client) -> None:
    lived(client, "ada")
    client.import_json(client.export_json("ada"), session_id="copy")
    now = client.state("ada")
    for minutes in (0, 1, 5, 20):
        at = later(now, minutes)
        original, copy = client.state("ada", at=at), client.state("copy", at=at)
        assert original.HasField("mood")
        assert apart(numbers(original), numbers(copy)) <= 1e-12
        assert (original.label, original.version) == (copy.label, copy.version)
    held = client.state("copy", at=later(now, 1)).sustained
    assert held.uncertainty == 0.4
    again = later(now, 0)
    stimulus = pb.Stimulus(event=pb.Signals(praise=1.0), occurred_at=again)
    states = [client.apply_stimuli(name, [stimulus]).state for name in ("ada", "copy")]
    assert apart(numbers(states[0]), numbers(states[1])) <= 1e-12  # Habituation came along.


def test_an_export_names_its_form_and_survives_json(client: Client) -> None:
    lived(client, "ada")
    export = client.export_session("ada")
    assert export.format == "emotional-ai/session/1"
    assert json_format.Parse(client.export_json("ada"), pb.SessionExport()) == export


def test_an_imported_session_lives_on(client: Client) -> None:
    state = lived(client, "ada")
    export = client.export_session("ada")
    client.delete_session("ada")
    assert client.import_session(export).state.version == state.version
    assert client.apply("ada", reward=0.5).version == state.version + 1


def test_a_list_is_every_session_in_order_page_by_page(address: str, client: Client) -> None:
    names = ["a.1", "a:2", "b", "c", "d", "e"]
    for name in reversed(names):
        client.create_session(name)
    assert [one.session_id for one in client.list_sessions(page_size=2)] == names
    with stub(address) as raw:
        token, pages = "", []
        while not pages or token:
            answer = raw.ListSessions(pb.ListSessionsRequest(page_size=2, page_token=token))
            pages.append([one.session_id for one in answer.sessions])
            token = answer.next_page_token
    assert pages == [names[:2], names[2:4], names[4:]]
    client.apply("c", reward=0.5)
    (listed,) = [one for one in client.list_sessions() if one.session_id == "c"]
    assert listed.version == 2
    assert listed.updated_at.ToMicroseconds() >= listed.created_at.ToMicroseconds()


def test_a_reset_and_a_new_configuration_keep_what_went_before(client: Client) -> None:
    lived(client, "ada")
    before = client.state("ada")
    client.reset_session("ada", levels=Chemistry(dopamine=0.1, serotonin=0.2, cortisol=0.3, oxytocin=0.4))
    put_back = client.reset_session("ada")
    calm = client.update_session("ada", SessionConfig())
    assert put_back.chemistry == RICH_BASELINE
    assert not put_back.HasField("sustained")
    assert not calm.state.HasField("mood")
    assert apart(numbers(client.state("ada", at=before.time)), numbers(before)) <= 1e-12
    kinds = [entry.WhichOneof("effect") for entry in client.export_session("ada").entries]
    assert kinds == ["created", *["stimulus"] * 5, "reset", "reset", "configured"]
    assert client.get_session("ada").config.dynamics.time_scale == 10


RICH_BASELINE = Chemistry(dopamine=0.5, serotonin=0.6, cortisol=0.3, oxytocin=0.5)


def test_a_deleted_session_ends_whoever_follows_it(address: str, client: Client) -> None:
    client.create_session("ada")
    with client.watch("ada") as watch, stub(address) as raw, StreamCall(raw) as stream:
        following = iter(watch)
        next(following)
        stream.open("ada")
        client.delete_session("ada")
        for ended in (lambda: next(following), stream.receive):
            error = refused(ended)
            assert isinstance(error, NotFound)
            assert error.reason == "SESSION_NOT_FOUND"
    assert list(client.list_sessions()) == []
    assert isinstance(refused(lambda: client.apply("ada", reward=0.5)), NotFound)


def test_a_session_made_anew_under_a_deleted_id_remembers_nothing(client: Client) -> None:
    lived(client, "ada")
    client.apply_stimuli("ada", [event(reward=0.5)], request_id="r")
    client.delete_session("ada")
    client.create_session("ada")
    assert not client.apply_stimuli("ada", [event(reward=0.5)], request_id="r").duplicate
    assert client.state("ada").version == 2


@pytest.mark.parametrize("entries", [SNAPSHOT_EVERY + 140, 2 * SNAPSHOT_EVERY - 1])
def test_a_session_brought_back_from_a_snapshot_is_the_replay_of_its_log_bit_for_bit(
    tmp_path: Path, entries: int
) -> None:
    path = tmp_path / "sessions.db"
    with service(in_file(path)) as address, Client(address) as client:
        written = lived(client, "ada").version
        while written < entries:
            count, request_id = min(100, entries - written), f"r{written}"
            stimuli = [event(reward=0.01 * (index % 90), threat=0.003 * (index % 70)) for index in range(count)]
            written = client.apply_stimuli("ada", stimuli, request_id=request_id).state.version
    with closing(sqlite3.connect(path)) as database:
        ((version,),) = database.execute("SELECT version FROM snapshots")
    assert SNAPSHOT_EVERY <= version <= entries
    with service(in_file(path)) as address, Client(address) as client:
        states = [client.state("ada", at=later(client.state("ada"), minutes)) for minutes in (0, 1, 5, 20)]
        assert client.apply_stimuli("ada", [event(reward=0.5)], request_id=request_id).duplicate
        last = replayed(client.export_session("ada").entries)[-1]
    for state in states:
        expected = last.at(state.time.ToMicroseconds())
        assert same(state, expected)
        assert numbers(state)[:8] == [*expected.levels, *expected.flow[4:]]
        assert state.simulated_minutes == expected.minutes


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_more_sessions_than_memory_holds_lose_nothing(tmp_path: Path, kept: str) -> None:
    where = IN_MEMORY if kept == "memory" else in_file(tmp_path / "sessions.db")
    names = [f"s{index}" for index in range(6)]
    with service(replace(where, live_sessions=2)) as address, Client(address) as client:
        for name in names:
            client.create_session(name, config=RICH)
        with client.stream("s0") as watched:
            for round_ in range(4):
                for name in names:
                    client.apply(name, reward=0.2, loss=0.1, request_id=f"r{round_}")
            watched.send(praise=0.5)
        for name in names:
            path = replayed(client.export_session(name).entries)
            state = client.state(name)
            assert state.version == (6 if name == "s0" else 5)
            assert same(state, path[-1].at(state.time.ToMicroseconds()))
            assert client.apply_stimuli(name, [event(reward=0.2)], request_id="r0").duplicate
