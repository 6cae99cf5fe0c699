"""Streams that a client leaves before their end leave nothing behind, in the client or in the service."""

import gc
from collections.abc import Callable, Iterator
from itertools import pairwise

import psutil
import pytest
from loopback import Served, service_process

from emotional_ai import Client

LEFT = 200
ROUNDS = 3
"""The least growth of them counts: what else there is in these processes may take memory once, a leak takes it each time."""
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
    sizes = []
    for _ in range(1 + ROUNDS):
        for _ in range(LEFT):
            leave(client)
        gc.collect()
        sizes.append([one.memory_info().rss for one in both])
    for before_and_after in zip(*sizes, strict=True):
        assert min(after - before for before, after in pairwise(before_and_after)) < LEFT * EACH
