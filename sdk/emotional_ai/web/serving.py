"""The socket the page listens on, and the server behind it."""

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, Final

import uvicorn
from starlette.types import ASGIApp

from emotional_ai.parent import end_with

GRACE_SECONDS: Final = 1
"""How long requests may finish after the end was asked for; pages hold theirs open for good."""
UNANSWERED: Final = "ASGI callable returned without completing handshake."
"""What uvicorn says of every websocket that was refused in words; anybody could fill the log with it."""
ABANDONED: Final = "No response returned."
"""What Starlette raises for a request whose browser left before the answer, as one does that loads a page again."""


class _Announced(uvicorn.Server):
    """Says when it takes requests; a signal ends it, and not the process."""

    def __init__(
        self, config: uvicorn.Config, announce: Callable[[], None], ending: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams are as long as the service lives: waiting for them first would be in vain.
        await self._ending()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def listening(host: str, port: int) -> socket.socket:
    """Takes a port; 0 takes a free one. Raises OSError, saying what to do, if it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OSError(f"{host} is no address of this machine ({error.strerror}); name another with --host") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Two sockets may be bound to a port; only one may listen.
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(_unavailable(host, port, error)) from error
    return listener


def _unavailable(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{host} is no address of this machine ({error.strerror}); name one of its own with --host: 127.0.0.1 for this "
            "machine alone, 0.0.0.0 for every address it has"
        )
    if not port:
        return f"no port of {host} can be had ({error.strerror})"
    return f"port {port} of {host} cannot be had ({error.strerror}); choose another with --port, or --port 0"


def address(host: str, listener: socket.socket) -> str:
    """Where a browser on this machine finds what listens."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{listener.getsockname()[1]}/"


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    ready: Callable[[], None],
    ending: Callable[[], Awaitable[None]],
    parent: BinaryIO | None = None,
) -> None:
    """Serves until a signal ends it, or until `parent`, a pipe held by another process, ends.

    `ending` ends what would not finish by itself, before the rest is waited for.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    logging.getLogger("uvicorn.error").addFilter(_worth_telling)
    server = _Announced(config, ready, ending)
    if parent is not None:
        end_with(parent, partial(setattr, server, "should_exit", True))
    with listener:
        await server.serve(sockets=[listener])


def _worth_telling(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return record.getMessage() != UNANSWERED and not (isinstance(error, RuntimeError) and str(error) == ABANDONED)
