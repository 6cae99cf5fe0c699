"""WatchState: every change, folded to the latest, resumed by version, ended by the drain."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import IN_MEMORY, PATIENCE, hosted, in_file, service
from wire_client import event, stub

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb


@pytest.fixture(params=["memory", "file"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with service(IN_MEMORY if request.param == "memory" else in_file(tmp_path / "sessions.db")) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        client.create_session("ada")
        yield client


def test_a_watcher_sees_now_and_then_every_change(client: Client) -> None:
    with client.watch("ada") as watch:
        seen = iter(watch)
        assert next(seen).version == 1
        for version in range(2, 8):
            applied = client.apply("ada", reward=0.1)
            state = next(seen)
            assert (state.version, watch.coalesced) == (version, 0)
            assert state.chemistry.dopamine == pytest.approx(applied.chemistry.dopamine, abs=1e-3)


def test_changes_of_one_write_are_folded_and_counted(client: Client) -> None:
    with client.watch("ada") as watch:
        seen = iter(watch)
        next(seen)
        client.apply_stimuli("ada", [event(reward=0.1)] * 7)
        assert next(seen).version == 8
        assert watch.coalesced == 6


def test_no_change_is_lost_in_the_count_however_slow_the_watcher(client: Client) -> None:
    with client.watch("ada") as watch:
        seen = iter(watch)
        assert next(seen).version == 1
        for _ in range(300):
            client.apply("ada", reward=0.01)
        version, counted = 1, 0
        while version < 301:
            state = next(seen)
            assert state.version > version
            version, counted = state.version, counted + 1 + watch.coalesced
            assert counted == version - 1


def test_a_watch_goes_on_after_the_version_seen_last(client: Client) -> None:
    version = client.apply("ada", reward=0.1).version
    with client.watch("ada", after_version=version - 1) as watch:
        assert next(iter(watch)).version == version
    with client.watch("ada", after_version=version, interval_ms=0) as watch:
        seen = iter(watch)
        client.apply("ada", loss=0.1)
        assert next(seen).version == version + 1


def test_a_watch_with_an_interval_shows_the_state_move_by_itself(client: Client) -> None:
    client.apply("ada", reward=1.0)
    with client.watch("ada", interval_ms=1) as watch:
        seen = iter(watch)
        states = [next(seen) for _ in range(5)]
    assert {state.version for state in states} == {2}
    levels = [state.chemistry.dopamine for state in states]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > levels[-1]


def test_a_watch_ends_with_the_service_and_says_so() -> None:
    with hosted() as running, Client(running.address) as client, stub(running.address) as raw:
        client.create_session("ada")
        watch = raw.WatchState(pb.WatchStateRequest(session_id="ada"), timeout=PATIENCE)
        assert not next(watch).draining
        client.apply("ada", reward=0.1)
        assert next(watch).state.version == 2
        running.stop()
        (last,) = list(watch)
        assert last.draining
        assert last.state.version == 2
