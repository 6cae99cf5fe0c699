"""Redis breaks under load, behind a whole service: a ledger of what was acknowledged agrees with the log, each request once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from far_network import FarNetwork, far_network
from loopback import PATIENCE
from redis_server import RedisServer
from replicas import redis, replica
from request_ledger import assert_agrees
from senders import Sender, StreamSender, Tally, UnarySender, send_to_any
from wire_client import refused

from emotional_ai import Client

SLOW_MS = 1_500


def load(tally: Tally) -> list[Sender]:
    """Streams and writers of one session."""
    return [
        *(StreamSender(f"s{index}", "ada", tally, 40, 8) for index in range(2)),
        *(UnarySender(f"w{index}", "ada", tally, 150) for index in range(3)),
    ]


@contextmanager
def sending(server: RedisServer, event: Callable[[Client], None]) -> Iterator[None]:
    """Sends everything to a replica; `event` happens when half is acknowledged, and the body while the rest is on its way."""
    tally, half = Tally(), threading.Event()
    senders = load(tally)
    tally.at(sum(one.stimuli for one in senders) // 2, half.set)
    with replica(server) as served, Client(served.address) as client:
        client.create_session("ada")
        with ThreadPoolExecutor(len(senders)) as pool:
            work = [pool.submit(send_to_any, one, [served.address]) for one in senders]
            assert half.wait(PATIENCE)
            event(client)
            yield
            for one in work:
                one.result(PATIENCE)
        assert_agrees(client, senders, "ada")
    with replica(server) as served, Client(served.address) as client:  # Which knows what Redis kept, and nothing else.
        assert_agrees(client, senders, "ada")


def test_killed_under_load_a_server_that_syncs_always_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with redis(tmp_path) as server, sending(server, lambda _: server.kill()):
        server.start()


def test_slow_it_is_waited_for_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    with (
        redis(tmp_path) as server,
        sending(server, lambda _: pause(server)),
    ):
        pass


def pause(server: RedisServer) -> None:
    assert server.ask("CLIENT", "PAUSE", str(SLOW_MS), "ALL") == "+OK\r\n"


def test_full_it_refuses_and_says_why_and_takes_everything_once_there_is_room(tmp_path: Path) -> None:
    def fill(client: Client) -> None:
        server.ask("CONFIG", "SET", "maxmemory", "1")
        error = refused(lambda: client.create_session("grace"))
        assert error.reason == "STORE_UNAVAILABLE"
        assert "raise its maxmemory" in error.message
        assert client.state("ada").version > 1

    with redis(tmp_path, "--maxmemory-policy", "noeviction") as server, sending(server, fill):
        server.ask("CONFIG", "SET", "maxmemory", "0")


@pytest.fixture
def far() -> Iterator[FarNetwork]:
    with far_network() as far:
        yield far


def test_cut_off_it_is_missed_in_words_and_everything_is_applied_once_when_the_cable_is_mended(
    tmp_path: Path, far: FarNetwork, cut_seconds: float
) -> None:
    def cut(client: Client) -> None:
        far.cut()
        try:
            threading.Event().wait(cut_seconds)
            if cut_seconds > 20:  # Longer than a service waits for it.
                error = refused(lambda: client.state("ada", timeout=PATIENCE))
                assert error.reason == "STORE_UNAVAILABLE"
                assert far.host in error.message
        finally:
            far.mend()

    options = ("--appendfsync", "always", "--protected-mode", "no")
    with RedisServer(tmp_path, *options, host=far.host, inside=far.inside) as server, sending(server, cut):
        pass
