"""Several workers on one host: pinned, spread over, restarted when they die, renewed and ended one after another."""

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
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


def unused(port: int) -> bool:
    """Whether nobody listens on a port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


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
        assert all(os.sched_getaffinity(thread) == share for thread in threads)
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
        served.process.terminate()
        seen = []
        while served.process.poll() is None:
            seen.append(len(members(served)))
            if seen[-1] == WORKERS:
                client.apply("ended", reward=0.01)
        assert served.process.returncode == 0
        assert seen[0] == WORKERS
        assert 1 in seen
        assert seen == sorted(seen, reverse=True)


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
    port = next(port for port in iter(free_port, 0) if unused(port + 1))
    flags = ("--store", "redis", "--redis-url", server.url, "--workers", "2", "--engine-only")
    with service_process(*flags, port=port) as served:
        assert served.address == f"127.0.0.1:{port},127.0.0.1:{port + 1}"
        assert sorted(map(port_of, members(served))) == [port, port + 1]
        assert served.terminate() == 0
