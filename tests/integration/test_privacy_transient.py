"""Sessions that store nothing: they live like any other in the memory of a service, and no byte of them reaches a file."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import CommandLine
from loopback import PATIENCE, Served, in_file, service, service_process
from wire_client import event, refused

from emotional_ai import AlreadyExists, Chemistry, Client, NotFound, ResourceExhausted, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.settings import PrivacySettings

MARK = b"whippoorwill"
"""In the id, the requests and the notes of what is not to be stored."""
SECRET = MARK.decode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    folder = tmp_path_factory.mktemp("served")
    with service_process("--engine-only", "--jobs", str(folder / "jobs"), db=folder / "sessions.db") as served:
        yield served, folder


def seen(served: Served, folder: Path) -> dict[str, bytes]:
    """Every file beside the store, and every one that is open in the service, those without a name too."""
    found: dict[str, bytes] = {}
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # it may be gone by now
            if file.is_file():
                found[str(file)] = file.read_bytes()
    for link in Path(f"/proc/{served.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it may be closed by now
            target = str(link.readlink())
            if link.is_file() and os.access(link, os.R_OK) and not target.startswith(("/dev/", "/usr/", "/proc/")):
                found[f"{link}: {target}"] = link.read_bytes()
    return found


def lived(client: Client, session: str, *, transient: bool) -> pb.EmotionalState:
    """Everything that leaves something behind in a store."""
    client.create_session(session, transient=transient, request_id=f"{session}-made")
    for number in range(600):  # past the version at which a snapshot is left
        client.apply(session, praise=0.3, note=f"about {session}", request_id=f"{session}-{number}")
    client.update_session(session, SessionConfig())
    client.reset_session(session, levels=Chemistry(dopamine=0.9, serotonin=0.5, cortisol=0.1, oxytocin=0.5))
    with client.stream(session) as stream:
        stream.send(novelty=0.5, note=f"about {session}")
        stream.flush()
    client.export_session(session)
    client.explain(session)
    return client.state(session)


def test_no_byte_of_a_transient_session_reaches_a_file(served: tuple[Served, Path]) -> None:
    process, folder = served
    with Client(process.address) as client:
        assert lived(client, SECRET, transient=True).version == 604
        lived(client, "kingfisher", transient=False)
        files = seen(process, folder)
        client.delete_session("kingfisher")
    assert {"sessions.db", "sessions.db-wal"} <= {Path(name).name for name in files}
    assert any(b"kingfisher" in content for content in files.values())
    assert [name for name, content in files.items() if MARK in content] == []


def test_it_is_gone_with_the_process_that_made_it(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    with service_process("--engine-only", db=path) as first, Client(first.address) as client:
        client.create_session(SECRET, transient=True)
        client.apply(SECRET, reward=0.5)
        client.create_session("stored")
        assert first.terminate() == 0
    assert [file.name for file in tmp_path.rglob("*") if file.is_file() and MARK in file.read_bytes()] == []
    with service_process("--engine-only", db=path) as second, Client(second.address) as client:
        assert [one.session_id for one in client.list_sessions()] == ["stored"]
        assert isinstance(refused(lambda: client.state(SECRET)), NotFound)
        client.create_session(SECRET)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    settings = in_file(tmp_path_factory.mktemp("few") / "sessions.db")
    with (
        service(replace(settings, privacy=PrivacySettings(transient_sessions=2))) as address,
        Client(address) as client,
    ):
        yield client


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with service(in_file(tmp_path / "sessions.db")) as address:
        yield address


def test_it_says_of_itself_that_nothing_is_stored(client: Client) -> None:
    made = client.create_session("b", transient=True)
    client.create_session("a")
    client.create_session("c")
    assert made.transient
    assert client.get_session("b").transient
    assert not client.get_session("a").transient
    assert [(one.session_id, one.transient) for one in client.list_sessions(page_size=1)] == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]
    for session in "abc":
        client.delete_session(session)


def test_it_lives_like_any_other(client: Client) -> None:
    for session, transient in (("kept", False), ("unkept", True)):
        client.create_session(session, transient=transient)
        client.apply(session, praise=0.5, request_id="once")
        assert client.apply_stimuli(session, [event(praise=0.5)], request_id="once").duplicate
        client.apply(session, loss=0.5, expected_version=2)
        assert len(client.history(session).entries) == 3
        copy = client.export_session(session)
        assert not client.import_session(copy, session_id=f"{session}-copy").transient
        assert len(client.delete_session(session)) == 1
        client.delete_session(f"{session}-copy")
        assert isinstance(refused(lambda: client.state(session)), NotFound)  # noqa: B023


def test_a_creation_that_is_sent_again_finds_it(client: Client) -> None:
    first = client.create_session("twice", transient=True, request_id="made")
    again = client.create_session("twice", transient=True, request_id="made")
    assert (again.created_at, again.transient) == (first.created_at, True)
    for transient in (True, False):
        error = refused(lambda: client.create_session("twice", transient=transient))  # noqa: B023
        assert isinstance(error, AlreadyExists)
    client.delete_session("twice")


def test_a_service_takes_so_many_and_says_what_to_do(client: Client) -> None:
    for session in ("one", "two"):
        client.create_session(session, transient=True)
    error = refused(lambda: client.create_session("three", transient=True))
    assert isinstance(error, ResourceExhausted)
    assert error.reason == "TRANSIENT_FULL"
    assert error.retry_after == 60
    assert "2 transient sessions at most" in str(error)
    assert "--transient-sessions" in str(error)
    client.create_session("three")
    for session in ("one", "two", "three"):
        client.delete_session(session)


def test_the_command_line_makes_one_and_lists_it_as_such(address: str) -> None:
    run = CommandLine(address)
    assert run("sessions", "create", "passing", "--transient").status == 0
    assert run("sessions", "create", "lasting").status == 0
    rows = run("sessions", "list").out.splitlines()
    assert [("not stored" in row) for row in rows if row.startswith(("passing", "lasting"))] == [False, True]
    assert [(one["session"], one["transient"]) for one in run("sessions", "list", "--json").objects] == [
        ("lasting", False),
        ("passing", True),
    ]


def test_a_service_may_take_none(tmp_path: Path) -> None:
    flags = ("--engine-only", "--transient-sessions", "0")
    with service_process(*flags, db=tmp_path / "sessions.db") as served, Client(served.address) as client:
        error = refused(lambda: client.create_session("one", transient=True, timeout=PATIENCE))
        assert error.reason == "TRANSIENT_FULL"
        assert list(client.list_sessions()) == []
