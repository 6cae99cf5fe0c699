"""Streamable HTTP on the loopback interface. Requests from web pages of other origins, or for other hosts, are refused."""

import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings

HOST: Final = "127.0.0.1"
PATH: Final = "/mcp"
HTTP_PORT: Final = 80
"""Port that addresses of HTTP leave out."""


class _Announced(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams that clients listen on are as long as the bridge lives: waiting for them first would be in vain.
        await self.lifespan.shutdown()
        await super().shutdown(sockets)


async def serve(server: Server[Any], listener: socket.socket, ready: Callable[[str], None]) -> None:
    """Serves on what `listening` gave until a signal ends it; `ready` gets the address once requests are taken."""
    with listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}{PATH}"
        app = server.streamable_http_app(
            streamable_http_path=PATH, host=HOST, transport_security=_own(listener.getsockname()[1])
        )
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        await _Announced(config, lambda: ready(address)).serve(sockets=[listener])


def _own(port: int) -> TransportSecuritySettings:
    """Requests that are served: for this address, and of a page only of this very origin, not of another port's."""
    names = ["127.0.0.1", "localhost", "[::1]"]
    hosts = [f"{name}:{port}" for name in names] + (names if port == HTTP_PORT else [])
    return TransportSecuritySettings(
        allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts if not host.startswith("[")]
    )


def listening(port: int) -> socket.socket:
    """Takes a port of the loopback interface; 0 takes a free one. Raises OSError if it cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        # Two sockets may be bound to a port; only one may listen.
        listener.listen()
    except OSError as error:
        listener.close()
        wrong = f"port {port} of {HOST} cannot be had ({error.strerror}); choose another, or 0 for a free one"
        raise OSError(wrong) from error
    return listener
