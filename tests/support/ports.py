"""Ports of this machine that are free and stay so."""

import socket
from typing import Final

_HELD: Final[list[socket.socket]] = []


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens, given to nobody who asks for just any while this process lives.

    It is bound and never listened on: the kernel refuses whoever connects, and lets a server listen there that sets
    SO_REUSEADDR, as gRPC, asyncio and Redis do.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    port: int = held.getsockname()[1]
    return port


def nowhere() -> str:
    """An address of this machine where nobody answers, as host:port."""
    return f"127.0.0.1:{free_port()}"
