"""Clients that stand still, or whose network is gone: nobody else waits for them, and nothing of theirs is kept for ever."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from far_network import FarNetwork, far_network
from loopback import Served, service_process
from observing import numbers_once, read_numbers
from wire_client import event

from emotional_ai import Client

SLOW_READER = Path(__file__).parent.parent / "support" / "slow_reader.py"
WRITES, IN_A_WRITE = 300, 32
LOG_ENTRY = 500
"""Bytes of memory that an entry of the log in memory takes at most."""
UNANSWERED = 20
"""Seconds after which a connection counts as gone on which something was sent and not received."""


@contextmanager
def reader(address: str, session_id: str, inside: Sequence[str] = ()) -> Iterator["subprocess.Popen[str]"]:
    """A client that has been told of the session once."""
    command = [*inside, sys.executable, str(SLOW_READER), address, session_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "1 0\n"
            yield process
        finally:
            process.kill()


def write(client: Client) -> int:
    """Thousands of stimuli; the version after them."""
    for number in range(WRITES):
        client.apply_stimuli("ada", [event(reward=0.01)] * IN_A_WRITE, request_id=f"r{number}")
    return client.state("ada").version


def test_a_client_that_stands_still_holds_nobody_up_and_hears_of_everything_when_it_goes_on() -> None:
    with service_process("--engine-only") as served, Client(served.address) as client:
        client.create_session("ada")
        service = psutil.Process(served.process.pid)
        with reader(served.address, "ada") as standing:
            assert standing.stdout is not None
            before = service.memory_info().rss
            standing.send_signal(signal.SIGSTOP)
            last = write(client)
            assert last == 1 + WRITES * IN_A_WRITE
            assert service.memory_info().rss - before < last * LOG_ENTRY + (8 << 20)
            standing.send_signal(signal.SIGCONT)
            version = 1
            while version < last:
                told, folded = map(int, standing.stdout.readline().split())
                assert told == version + folded + 1
                version = told


def test_a_client_that_stands_still_does_not_keep_a_service_from_ending() -> None:
    with service_process("--engine-only") as served, Client(served.address) as client:
        client.create_session("ada")
        with reader(served.address, "ada") as standing:
            standing.send_signal(signal.SIGSTOP)
            client.apply("ada", reward=0.1)
            assert served.terminate() == 0


@pytest.fixture
def far() -> Iterator[FarNetwork]:
    with far_network() as far:
        yield far


@contextmanager
def reached_from(far: FarNetwork) -> Iterator[Served]:
    """A service that listens where `far` reaches it."""
    flags = ("--engine-only", "--host", far.near, "--metrics", "127.0.0.1:0")
    with service_process(*flags, "--insecure-network") as served:
        yield served


def test_a_client_whose_network_is_gone_is_given_up_and_nobody_waits_for_it(
    far: FarNetwork, cut_seconds: float
) -> None:
    with reached_from(far) as served, Client(served.address) as client:
        assert served.process.stdout is not None
        metrics = served.process.stdout.readline().split()[1]
        client.create_session("ada")
        with reader(served.address, "ada", far.inside):
            assert read_numbers(metrics).of("emotional_ai_streams_open") >= 1
            far.cut()
            assert write(client) == 1 + WRITES * IN_A_WRITE
            if cut_seconds > UNANSWERED:
                numbers_once(metrics, lambda numbers: numbers.of("emotional_ai_streams_open") == 0)
            assert served.terminate() == 0
