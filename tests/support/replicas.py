"""Replicas of the service, each a process, over one Redis server.

with redis(folder) as server, replica(server) as one, replica(server) as other: ...
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopback import Served, service_process
from redis_server import RedisServer


@contextmanager
def redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A server that keeps what it acknowledges through a kill; skips the test where there is no Redis."""
    with RedisServer(folder, "--appendfsync", "always", *options) as server:
        yield server


@contextmanager
def replica(server: RedisServer, *flags: str, port: int = 0) -> Iterator[Served]:
    """A replica that serves the emotion engine."""
    shared = ("--store", "redis", "--redis-url", server.url)
    with service_process("--engine-only", *shared, *flags, port=port) as served:
        yield served
