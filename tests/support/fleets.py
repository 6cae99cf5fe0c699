"""`emotional-ai serve --workers N` over a Redis server of the test's own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopback import Served, service_process
from redis_server import RedisServer


@contextmanager
def fleet(server: RedisServer, workers: int, *flags: str) -> Iterator[Served]:
    """Workers that serve the emotion engine; `address` names all of them."""
    shared = ("--store", "redis", "--redis-url", server.url, "--workers", str(workers))
    with service_process("--engine-only", *shared, *flags) as served:
        try:
            yield served
        finally:
            for pid in members(served):
                os.kill(pid, signal.SIGKILL)


def members(served: Served) -> list[int]:
    """Process ids of the workers that run, those that ended and were not reaped left out."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
    try:
        return [int(pid) for pid in children.read_text().split()]
    except FileNotFoundError:
        return []


def port_of(pid: int) -> int:
    """The port on a worker's command line; 0 where it took a free one."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return int(words[len(words) - 1 - words[::-1].index("--port") + 1])
