"""Replicas of the service, each a process, over one Redis server.

with redis(folder) as server, replica(server) as one, replica(server) as other: ...

`kept` gives a service one of three places to keep its sessions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopback import IN_MEMORY, Served, in_file, service_process
from redis_server import RedisServer

from emotional_ai_service.settings import Settings, StoreKind, StoreSettings

PLACES = ("memory", "file", "redis")


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


def in_redis(server: RedisServer) -> Settings:
    """Settings of a service whose sessions are kept in a Redis server."""
    return Settings(port=0, store=StoreSettings(StoreKind.REDIS, redis=server.address))


@contextmanager
def kept(place: str, folder: Path) -> Iterator[Settings]:
    """Settings of a service that keeps its sessions in one of PLACES, below `folder`."""
    if place == "redis":
        with redis(folder / "redis") as server:
            yield in_redis(server)
    else:
        yield IN_MEMORY if place == "memory" else in_file(folder / "sessions.db")
