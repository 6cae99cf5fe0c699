"""Streams that a client leaves before their end leave nothing behind, in the client or in the service."""

import gc
from collections.abc import Callable, Iterator

import psutil
import pytest
from loopback import Served, service_process

from emotional_ai import Client

LEFT = 200
EACH = 4_096
"""Bytes that a stream which was left may take, on average: what the allocator does by chance."""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with service_process("--engine-only") as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


def watch(client: Client) -> None:
    with client.watch("ada") as watch:
        next(iter(watch))


def stream(client: Client) -> None:
    with client.stream("ada") as stream:
        next(iter(stream))


@pytest.mark.parametrize("leave", [watch, stream])
def test_streams_that_are_left_take_no_memory(served: Served, client: Client, leave: Callable[[Client], None]) -> None:
    client.create_session("ada", request_id="once")
    both = (psutil.Process(), psutil.Process(served.process.pid))
    for _ in range(LEFT):
        leave(client)
    gc.collect()
    before = [one.memory_info().rss for one in both]
    for _ in range(LEFT):
        leave(client)
    gc.collect()
    grown = [one.memory_info().rss - earlier for one, earlier in zip(both, before, strict=True)]
    assert max(grown) < LEFT * EACH
