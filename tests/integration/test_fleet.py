"""Several workers on one host: pinned, spread over, restarted when they die, renewed and ended one after another."""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from fleets import fleet, members, port_of
from loopback import PATIENCE, Served, serve_command, service_process
from ports import free_port
from redis_server import RedisServer
from replicas import redis

from emotional_ai import Client
from emotional_ai.targets import addresses

WORKERS = 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def served(server: RedisServer) -> Iterator[Served]:
    with fleet(server, WORKERS) as served:
        yield served


def answers(address: str) -> None:
    """Returns once a service takes calls at an address."""
    with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
        grpc.channel_ready_future(channel).result(PATIENCE)


def until(reached: Callable[[], bool]) -> None:
    """Waits until something is so of another process, which sets no event."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.001)


def freeze(pid: int) -> None:
    """Has every thread of a process stand still, with what is sent to it pending."""
    os.kill(pid, signal.SIGSTOP)
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    until(lambda: all(field(task, "State").startswith("T") for task in tasks if task.exists()))


def is_told_to_end(pid: int) -> bool:
    """Whether SIGTERM waits for a frozen process to go on."""
    return bool(int(field(Path(f"/proc/{pid}"), "ShdPnd"), 16) & 1 << signal.SIGTERM - 1)


def field(task: Path, name: str) -> str:
    """A line of the status the kernel tells of a process or thread."""
    (line,) = [line for line in (task / "status").read_text().splitlines() if line.startswith(f"{name}:")]
    return line.partition(":")[2].strip()


def has_ended(descriptor: int) -> bool:
    """Whether the process of a descriptor has ended, reaped or not."""
    return bool(select.select([descriptor], [], [], 0)[0])


@contextmanager
def two_ports() -> Iterator[int]:
    """The first of two ports in a row, of which nobody else is given either; each is held as `free_port` does."""
    while True:
        port = free_port()
        with socket.socket() as second:
            second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:  # somebody has it
                continue
            yield port
            return


def test_every_worker_serves_every_session_and_the_ready_line_is_a_target(served: Served) -> None:
    assert len(addresses(served.address)) == WORKERS
    with Client(served.address) as client:
        client.create_session("ada")
        client.apply("ada", reward=0.5)
    for address in addresses(served.address):
        with Client(address) as client:
            assert client.state("ada").version == 2


def test_each_worker_is_pinned_to_a_share_of_the_processors(served: Served) -> None:
    shares = [os.sched_getaffinity(pid) for pid in members(served)]
    for pid, share in zip(members(served), shares, strict=True):
        threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        assert len(threads) > 1
        for thread in threads:
            with suppress(ProcessLookupError):  # it may have ended since it was listed
                assert os.sched_getaffinity(thread) == share
    everything = os.sched_getaffinity(0)
    assert len(shares) == WORKERS
    assert set.union(*shares) == everything
    if len(everything) >= WORKERS:
        assert sum(len(share) for share in shares) == len(everything)


def test_a_worker_that_dies_is_started_again_where_it_was(served: Served) -> None:
    dead = members(served)[0]
    os.kill(dead, signal.SIGKILL)
    with Client(served.address) as client:
        client.create_session("kept")
    for address in addresses(served.address):
        answers(address)
    assert dead not in members(served)
    assert len(members(served)) == WORKERS


def test_renewing_replaces_every_worker_and_streams_and_calls_go_on(served: Served) -> None:
    before = set(members(served))
    with Client(served.address) as client:
        client.create_session("renewed")
        with client.stream("renewed") as stream:
            stream.send(reward=0.01)
            served.process.send_signal(signal.SIGHUP)
            sent = 1
            while before & set(members(served)):
                stream.send(reward=0.01)
                stream.flush(PATIENCE)
                client.state("renewed")
                sent += 1
        assert client.state("renewed").version == sent + 1
    for address in addresses(served.address):
        answers(address)
    assert len(members(served)) == WORKERS


def test_the_workers_end_one_after_another_while_calls_go_to_those_that_are_left(server: RedisServer) -> None:
    with fleet(server, WORKERS) as served, Client(served.address) as client:
        client.create_session("ended")
        first, second = members(served)
        ends = [os.pidfd_open(first), os.pidfd_open(second)]
        freeze(first)
        served.process.terminate()
        until(lambda: is_told_to_end(first))
        # Its supervisor stands still while the first one ends, so that calls find the second one before its turn comes.
        freeze(served.process.pid)
        os.kill(first, signal.SIGCONT)
        sent = 0
        while not has_ended(ends[0]) or sent < 20:
            client.apply("ended", reward=0.01)
            sent += 1
        assert client.state("ended").version == sent + 1
        assert not has_ended(ends[1])
        served.process.send_signal(signal.SIGCONT)
        assert served.process.wait(PATIENCE) == 0
        assert has_ended(ends[1])
        for descriptor in ends:
            os.close(descriptor)


def test_the_workers_end_with_the_process_that_started_them(server: RedisServer) -> None:
    with fleet(server, WORKERS) as served:
        pids = members(served)
        descriptors = [os.pidfd_open(pid) for pid in pids]
        served.kill()
        for descriptor in descriptors:
            assert select.select([descriptor], [], [], PATIENCE)[0]
            os.close(descriptor)


def test_what_keeps_the_first_worker_from_starting_is_told_once() -> None:
    flags = ("--workers", "2", "--store", "redis", "--redis-url", "redis://127.0.0.1:1", "--engine-only")
    ran = subprocess.run(serve_command(*flags), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.count("cannot be reached") == 1
    assert "a worker ended before it took calls" in ran.stderr


def test_ports_are_those_that_were_asked_for(server: RedisServer) -> None:
    flags = ("--store", "redis", "--redis-url", server.url, "--workers", "2", "--engine-only")
    with two_ports() as port, service_process(*flags, port=port) as served:
        assert served.address == f"127.0.0.1:{port},127.0.0.1:{port + 1}"
        assert sorted(map(port_of, members(served))) == [port, port + 1]
        assert served.terminate() == 0
