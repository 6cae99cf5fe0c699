"""The clients against the service itself: restarts, kills and drains in the middle of their streams."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import PATIENCE, service, service_process
from ports import free_port

from emotional_ai import (
    Aborted,
    AlreadyExists,
    AsyncClient,
    Backoff,
    Client,
    InvalidArgument,
    NotFound,
    Signals,
    Stimulus,
    Unavailable,
)

STUBBORN = Backoff(first_seconds=0.05, longest_seconds=0.5, attempts=200)
"""Outlasts a restart of the service on a busy machine."""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with service() as target:
        yield target


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target, backoff=STUBBORN) as client:
        yield client


@pytest.fixture
def port() -> int:
    return free_port()


def test_a_life_from_creation_to_deletion(client: Client) -> None:
    made = client.create_session(config=None)
    moved = client.apply(made.session_id, reward=0.8, note="a gift")
    assert moved.chemistry.dopamine > made.state.chemistry.dopamine
    assert client.state(made.session_id).version == moved.version == 2
    assert client.history(made.session_id).entries[-1].stimulus.note == "a gift"
    assert client.explain(made.session_id).signals
    copy = client.import_json(client.export_json(made.session_id), session_id=f"{made.session_id}-copy")
    assert copy.state.version == 2
    assert {made.session_id, copy.session_id} <= {one.session_id for one in client.list_sessions(page_size=1)}
    with pytest.raises(Aborted) as behind:
        client.reset_session(made.session_id, expected_version=1)
    assert behind.value.metadata["actual_version"] == "2"
    with pytest.raises(AlreadyExists):
        client.create_session(made.session_id)
    client.delete_session(made.session_id)
    with pytest.raises(NotFound, match="create it with CreateSession") as gone:
        client.state(made.session_id)
    assert gone.value.reason == "SESSION_NOT_FOUND"


def test_a_batch_of_129_ends_the_stream_with_the_field_at_fault(client: Client) -> None:
    made = client.create_session()
    with pytest.raises(InvalidArgument) as refused, client.stream(made.session_id) as stream:
        stream.send(*[Signals(reward=0.1)] * 129)
    assert "stimuli" in refused.value.violations[0].field
    assert client.state(made.session_id).version == 1


def test_a_watcher_sees_what_a_stream_sends(client: Client) -> None:
    made = client.create_session()
    with client.watch(made.session_id) as watch, client.stream(made.session_id) as stream:
        states = iter(watch)
        assert next(states).version == 1
        for _ in range(50):
            stream.send(reward=0.01)
        assert any(state.version == 51 for state in states)


async def test_a_hundred_streams_of_one_asyncio_client_do_not_disturb_each_other(target: str) -> None:
    async with AsyncClient(target) as client:

        async def live(name: str) -> int:
            await client.create_session(name)
            async with client.stream(name) as stream:
                for _ in range(20):
                    await stream.send(reward=0.01)
            return (await client.state(name)).version

        async with asyncio.timeout(PATIENCE):
            versions = await asyncio.gather(*(live(f"one-of-many-{i}") for i in range(100)))
    assert versions == [21] * 100


def test_through_a_kill_no_stimulus_is_lost_or_doubled(tmp_path: Path, port: int) -> None:
    db, notes = tmp_path / "sessions.db", [f"{number}" for number in range(1, 5001)]
    with service_process("--engine-only", port=port, db=db) as first, Client(first.address, backoff=STUBBORN) as client:
        client.create_session("ada")
        with client.stream("ada") as stream:

            def send_all() -> None:
                for note in notes:
                    stream.send(Stimulus(skip_minutes=0.01, note=note))

            sender = threading.Thread(target=send_all, daemon=True)
            sender.start()
            next(state for state in stream if state.version > 100)
            first.kill()
            assert stream.acknowledged < len(notes)
            with service_process("--engine-only", port=port, db=db):
                sender.join(PATIENCE)
                stream.flush(PATIENCE)
                entries = client.history("ada").entries
    assert [entry.stimulus.note for entry in entries[1:]] == notes


async def test_through_a_shutdown_streams_and_watches_go_on_at_the_next_service(tmp_path: Path, port: int) -> None:
    db = tmp_path / "sessions.db"
    with service_process("--engine-only", port=port, db=db) as first:
        async with AsyncClient(first.address, backoff=STUBBORN) as client, asyncio.timeout(PATIENCE):
            await client.create_session("ada")
            async with client.stream("ada") as stream, client.watch("ada") as watch:
                states = aiter(watch)
                assert (await anext(states)).version == 1
                await stream.send(reward=0.1)
                await stream.flush()
                assert await asyncio.to_thread(first.terminate) == 0
                with service_process("--engine-only", port=port, db=db):
                    await stream.send(reward=0.1)
                    await stream.flush(PATIENCE)
                    async for state in states:
                        if state.version == 3:
                            break
                    assert (await client.state("ada")).version == 3


def test_a_service_that_is_gone_for_good_is_unavailable_everywhere(port: int) -> None:
    hasty = Backoff(first_seconds=0.01, longest_seconds=0.01, attempts=2)
    with Client(f"127.0.0.1:{port}", backoff=hasty) as client:
        with pytest.raises(Unavailable, match="check that the service runs"):
            client.state("ada", timeout=10)
        with client.watch("ada") as watch, pytest.raises(Unavailable, match="check that the service runs"):
            next(iter(watch))
        with client.stream("ada") as stream, pytest.raises(Unavailable, match="check that the service runs"):
            next(stream)


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_a_service_on_this_machine_is_reached_past_a_proxy(target: str, variable: str) -> None:
    code = f"from emotional_ai import Client; print(len(list(Client({target!r}).list_sessions())))"
    environment = {**os.environ, variable: "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
