"""Where Prometheus asks: GET /metrics over plain HTTP, answered by the event loop of the service itself.

No web framework: one path, one method, nothing read but the head of a request, which is bounded in size and time.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from emotional_ai_service.observing.settings import MetricsAddress

PATH: Final = "/metrics"
TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
HEAD_LIMIT: Final = 8192
"""Bytes of the head of a request."""
PATIENCE: Final = 5.0
"""Seconds a request may take, from its first byte to the last of its answer."""
CONNECTIONS: Final = 16
"""Requests at once; more are closed unanswered."""


class MetricsUnservable(OSError):
    """The address for metrics cannot be listened on."""


@asynccontextmanager
async def metrics_endpoint(where: MetricsAddress, text: Callable[[], Awaitable[bytes]]) -> AsyncIterator[str]:
    """Answers with what `text` returns as long as the context lasts; gives its URL. Raises MetricsUnservable."""
    open_now: set[asyncio.StreamWriter] = set()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(open_now) >= CONNECTIONS:
            writer.close()
            return
        open_now.add(writer)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(await _answer(reader, text))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # whoever asked is gone, or never asked
        finally:
            open_now.discard(writer)
            writer.close()

    try:
        server = await asyncio.start_server(answered, where.host.strip("[]"), where.port, limit=HEAD_LIMIT)
    except (OSError, OverflowError) as error:
        raise MetricsUnservable(
            f"cannot listen on {where.host}:{where.port} for metrics. Another program may be using the port, or the address is "
            "not one of this machine; choose another with --metrics"
        ) from error
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://{where.host}:{port}{PATH}"
        finally:
            for writer in list(open_now):
                writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, text: Callable[[], Awaitable[bytes]]) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return _response("431 Request Header Fields Too Large", b"the head of a request may have 8192 bytes\n")
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if path != PATH:
        return _response("404 Not Found", b"metrics are at /metrics\n")
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", b"ask with GET\n", "Allow: GET, HEAD\r\n")
    return _response("200 OK", await text(), headers_only=method == "HEAD")


def _response(status: str, body: bytes, more: str = "", *, headers_only: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if headers_only else body)
