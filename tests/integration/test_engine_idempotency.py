"""A request applies once however often and from wherever it is sent; versions guard against other writers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from loopback import PATIENCE, in_file, service
from replicas import PLACES, kept
from wire_client import event, refused

from emotional_ai import Aborted, Client
from emotional_ai_service.settings import Settings

THREADS = 8


@pytest.fixture(params=PLACES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    with kept(request.param, tmp_path) as settings:
        yield settings


def test_the_same_request_from_many_threads_at_once_applies_once(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client, ThreadPoolExecutor(THREADS) as pool:
        client.create_session("ada")
        sent = [
            pool.submit(client.apply_stimuli, "ada", [event(reward=0.3), event(loss=0.1)], request_id=f"r{round_}")
            for round_ in range(5)
            for _ in range(THREADS)
        ]
        answers = [one.result(PATIENCE) for one in sent]
        assert sum(not answer.duplicate for answer in answers) == 5
        assert client.state("ada").version == 1 + 5 * 2
        assert all(answer.state.version >= 3 for answer in answers)


def test_a_request_is_recognised_after_a_restart(tmp_path: Path) -> None:
    settings = in_file(tmp_path / "sessions.db")
    with service(settings) as address, Client(address) as client:
        client.create_session("ada", request_id="c")
        first = client.apply_stimuli("ada", [event(reward=0.3)], request_id="r")
    with service(settings) as address, Client(address) as client:
        again = client.apply_stimuli("ada", [event(reward=0.3)], request_id="r")
        assert (first.duplicate, again.duplicate) == (False, True)
        assert client.state("ada").version == first.state.version
        assert client.create_session("ada", request_id="c").state.version == first.state.version


def test_a_request_id_belongs_to_its_session(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client:
        for name in ("ada", "grace"):
            client.create_session(name)
            assert not client.apply_stimuli(name, [event(reward=0.3)], request_id="r").duplicate


def test_a_refused_request_may_be_corrected_under_its_id(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client:
        client.create_session("ada")
        refused(lambda: client.apply_stimuli("ada", [event(reward=3)], request_id="r"))
        refused(lambda: client.apply_stimuli("ada", [event(reward=0.3)], request_id="r", expected_version=9))
        assert not client.apply_stimuli("ada", [event(reward=0.3)], request_id="r").duplicate


def test_a_session_created_by_many_at_once_under_one_request_is_one(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client, ThreadPoolExecutor(THREADS) as pool:
        made = [pool.submit(client.create_session, "ada", request_id="c") for _ in range(THREADS)]
        assert {one.result(PATIENCE).session_id for one in made} == {"ada"}
        assert client.apply("ada", reward=0.2).version == 2
        assert client.export_session("ada").entries[0].request_id == "c"


def test_of_many_writers_at_one_version_one_is_first(settings: Settings) -> None:
    with service(settings) as address, Client(address) as client, ThreadPoolExecutor(THREADS) as pool:
        client.create_session("ada")
        for version in (1, 2, 3):
            sent = [pool.submit(attempt, client, version, writer) for writer in range(THREADS)]
            assert sorted(one.result(PATIENCE) for one in sent) == [False] * (THREADS - 1) + [True]
        assert client.state("ada").version == 4


def attempt(client: Client, version: int, writer: int) -> bool:
    """Whether a write at a version was the first."""
    try:
        client.apply("ada", reward=0.1, expected_version=version, request_id=f"{version}-{writer}")
    except Aborted:
        return False
    return True
