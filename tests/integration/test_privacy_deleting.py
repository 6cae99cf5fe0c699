"""Deleting a session: nothing of it is left in the store, whoever watched it is told, and copies in other hands are listed."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import CommandLine
from google.protobuf.timestamp_pb2 import Timestamp
from loopback import PATIENCE, in_file, service
from wire_client import event, refused

from emotional_ai import Client, NotFound
from emotional_ai.v1 import engine_pb2 as pb

START_US = 1_700_000_000_000_000
SECRET = "nightingale"
"""In the id, the requests and the notes of what is deleted."""


@dataclass(slots=True)
class Clock:
    now_us: int = START_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def address(clock: Clock) -> Iterator[str]:
    with service(clock=clock) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def seconds(stamps: list[Timestamp]) -> list[float]:
    return [(stamp.ToMicroseconds() - START_US) / 1e6 for stamp in stamps]


def test_whoever_deletes_a_session_learns_when_it_was_exported(client: Client, clock: Clock) -> None:
    client.create_session("exported")
    for second in (1, 5, 9):
        clock.now_us = START_US + second * 1_000_000
        client.export_session("exported")
    assert seconds(list(client.delete_session("exported"))) == [1, 5, 9]
    assert isinstance(refused(lambda: client.delete_session("exported")), NotFound)


def test_the_last_hundred_exports_are_told(client: Client, clock: Clock) -> None:
    client.create_session("often", transient=True)
    for second in range(103):
        clock.now_us = START_US + second * 1_000_000
        client.export_session("often")
    assert seconds(list(client.delete_session("often"))) == list(range(3, 103))


def test_an_import_of_a_copy_is_no_export_of_the_copy(client: Client) -> None:
    client.create_session("original")
    client.import_session(client.export_session("original"), session_id="copy")
    assert list(client.delete_session("copy")) == []
    assert len(client.delete_session("original")) == 1


def test_a_session_made_anew_under_the_id_knows_nothing_of_the_deleted_one(client: Client) -> None:
    client.create_session("again", initial=pb.Chemistry(dopamine=0.9, serotonin=0.1, cortisol=0.9, oxytocin=0.1))
    client.apply("again", reward=0.5, request_id="first")
    client.export_session("again")
    client.delete_session("again")
    client.create_session("again")
    assert not client.apply_stimuli("again", [event(reward=0.5)], request_id="first").duplicate
    assert client.state("again").version == 2
    assert list(client.delete_session("again")) == []


def test_watchers_of_a_deleted_session_are_told_that_it_is_gone(client: Client) -> None:
    client.create_session("watched")
    ends: list[Exception] = []
    seen = threading.Event()

    def watch() -> None:
        try:
            with client.watch("watched") as states:
                for _ in states:
                    seen.set()
        except NotFound as error:
            ends.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert seen.wait(PATIENCE)
    client.delete_session("watched")
    watcher.join(PATIENCE)
    assert not watcher.is_alive()
    assert len(ends) == 1


def test_the_command_line_tells_of_copies(address: str, client: Client, clock: Clock) -> None:
    client.create_session("copied")
    clock.now_us = START_US
    client.export_session("copied")
    told = CommandLine(address)("sessions", "delete", "copied")
    assert "deleted copied" in told.out
    assert "exported once, last at 2023-11-14T22:13:20" in told.err
    assert "not deleted" in told.err


def test_of_a_deleted_session_nothing_is_left_beside_the_store(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "sessions.db"
    with service(in_file(path), clock) as address, Client(address) as client:
        client.create_session(SECRET, request_id=f"{SECRET}-made")
        client.create_session("kept")
        for number in range(600):  # past the version at which a snapshot is left
            client.apply(SECRET, praise=0.2, note=f"about {SECRET}", request_id=f"{SECRET}-{number}")
            client.apply("kept", praise=0.2, request_id=f"kept-{number}")
        with client.stream(SECRET) as stream:
            stream.send(praise=0.1, note=f"about {SECRET}")
            stream.flush()
        client.export_session(SECRET)
        before = sum(file.read_bytes().count(SECRET.encode()) for file in tmp_path.iterdir())
        client.delete_session(SECRET)
    assert before > 1_000
    found = {file.name: file.read_bytes().count(SECRET.encode()) for file in tmp_path.iterdir()}
    assert found["sessions.db"] == 0
    assert sum(found.values()) == 0
    assert b"kept-599" in path.read_bytes()
