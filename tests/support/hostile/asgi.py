"""An HTTP application called in this process, as a web server calls it: any path, headers and chunks of a body."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

MOST_READ = 1 << 20
"""Bytes of an answer that are read before its client leaves."""
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    method: str
    path: str
    """As it stands in the request line, escapes and all."""
    headers: Headers = field(default_factory=list)
    chunks: Sequence[bytes] = ()
    leaves: bool = False
    """Whether the client hangs up once it has said everything."""


async def answered(app: ASGIApp, asked: Asked) -> Answer:
    """The answer; raises what the application raises."""
    answer, gone = Answer(), asyncio.Event()
    rest = [*asked.chunks] or [b""]
    path, _, query = asked.path.partition("?")

    async def receive() -> Message:
        if rest:
            part = rest.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(rest)}
        if not asked.leaves:
            await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message.get("headers", ()))
        elif len(answer.body) < MOST_READ:
            answer.body += message.get("body", b"")
        if len(answer.body) >= MOST_READ or not message.get("more_body", True):
            gone.set()

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": asked.headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    return answer


def chunked(draw: Random, body: bytes) -> list[bytes]:
    """A body in one piece, or in a few, some of them empty."""
    if draw.random() < 0.7:
        return [body]
    edges = sorted(draw.randrange(len(body) + 1) for _ in range(draw.randrange(1, 5)))
    return [body[low:high] for low, high in zip([0, *edges], [*edges, len(body)], strict=True)]


def header(draw: Random) -> tuple[bytes, bytes]:
    """A header somebody tries."""
    names = (b"content-type", b"content-encoding", b"content-length", b"x-api-key", b"host", b"origin", b"accept")
    values = (
        b"",
        b"gzip",
        b"zstd",
        b"-1",
        b"9" * 30,
        b"\xff\xfe",
        b"text/html",
        b"a" * 9000,
        b"../x",
        b"application/json",
    )
    return draw.choice(names), draw.choice(values)
