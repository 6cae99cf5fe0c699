"""What is looked at before a call is a call: its path, method and content type, and how large it says it is.

Of the headers only those go further that the protocols need, so that no cookie and no credential of a page travels on.
"""

import json
from collections.abc import Mapping
from typing import Final

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, StreamType
from starlette.types import ASGIApp, Receive, Scope, Send

from emotional_ai.web.doors.lines import MEDIA_TYPE, Lines, too_large
from emotional_ai.web.doors.refusals import HTTP_STATUS
from emotional_ai.web.doors.upstream import Method

KEPT: Final = frozenset(
    (
        *(b"host", b"content-type", b"content-encoding", b"accept-encoding", b"te"),
        *(b"connect-protocol-version", b"connect-timeout-ms", b"connect-content-encoding", b"connect-accept-encoding"),
        *(b"grpc-timeout", b"grpc-encoding", b"grpc-accept-encoding", b"x-grpc-web"),
    )
)
"""Headers that go further."""
OF_ENVELOPES: Final = frozenset((b"content-type", b"connect-content-encoding", b"connect-accept-encoding"))
"""Headers that speak of envelopes, which a call in lines has none of."""
GRPC_WEB: Final = ("application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json")
UNARY: Final = ("application/json", "application/proto", *GRPC_WEB)
BY_LINE: Final = ("application/json", MEDIA_TYPE)
STREAM: Final = (*BY_LINE, "application/connect+json", "application/connect+proto", *GRPC_WEB)
HINT: Final = " (curl sends the first with --json)"
Headers = list[tuple[bytes, bytes]]


class Entrance:
    """Hands calls of `methods`, by path, on to the application behind; refuses the others in words."""

    def __init__(self, methods: Mapping[str, Method], behind: ASGIApp, limit: int) -> None:
        self._methods = methods
        self._behind = behind
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await _answer(send, *refusal)
        elif scope["type"] == "http":
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = [(name, _ascii(value)) for name, value in scope["headers"] if name in KEPT]
        method, media_type = self._methods[scope["path"]], _media_type(scope)
        if method.stream_type is StreamType.UNARY or media_type not in BY_LINE:
            await self._behind({**scope, "headers": headers}, receive, send)
            return
        lines = Lines(receive, send, many=media_type == MEDIA_TYPE, limit=self._limit)
        enveloped = [(b"content-type", b"application/connect+json")]
        enveloped += [header for header in headers if header[0] not in OF_ENVELOPES]
        await self._behind({**scope, "headers": enveloped}, lines.receive, lines.send)

    def _refusal(self, scope: Scope) -> tuple[int, ConnectError, Headers] | None:
        method = self._methods.get(scope["path"])
        if method is None:
            return 404, ConnectError(Code.UNIMPLEMENTED, f"{scope['path']} is no rpc; {self._near(scope['path'])}"), []
        if scope["method"] not in (allowed := _http_methods(method)):
            words = f"{method.name} is called by {' or '.join(allowed)}, not by {scope['method']}"
            return 405, ConnectError(Code.UNIMPLEMENTED, words), [(b"allow", ", ".join(allowed).encode())]
        if scope["method"] == "POST" and _media_type(scope) not in (taken := _media_types(method)):
            words = (
                f"content-type {_media_type(scope) or '(none)'} is not taken; {method.name} takes {', '.join(taken)}"
            )
            return 415, ConnectError(Code.UNIMPLEMENTED, words + HINT), [(b"accept-post", ", ".join(taken).encode())]
        one = method.stream_type in (StreamType.UNARY, StreamType.SERVER_STREAM)
        if one and _length(scope) > self._limit:
            return HTTP_STATUS[Code.RESOURCE_EXHAUSTED], too_large(self._limit), []
        return None

    def _near(self, path: str) -> str:
        """The methods of the service a path names, or the services."""
        service = path.rpartition("/")[0]
        names = [other.rpartition("/")[2] for other in self._methods if other.rpartition("/")[0] == service]
        if names:
            return f"{service.removeprefix('/')} has {', '.join(names)}"
        services = dict.fromkeys(method.service_name for method in self._methods.values())
        return f"the services are {', '.join(services)}"


async def _answer(send: Send, status: int, error: ConnectError, headers: Headers) -> None:
    body = json.dumps({"code": error.code.value, "message": error.message}, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _http_methods(method: Method) -> tuple[str, ...]:
    """GET as well, where the contract declares that a method changes nothing."""
    return ("GET", "POST") if method.idempotency_level is IdempotencyLevel.NO_SIDE_EFFECTS else ("POST",)


def _media_types(method: Method) -> tuple[str, ...]:
    return UNARY if method.stream_type is StreamType.UNARY else STREAM


def _media_type(scope: Scope) -> str:
    return _header(scope, b"content-type").partition(";")[0].strip().lower()


def _length(scope: Scope) -> int:
    """Bytes of the body, as it says itself; 0 where it does not."""
    told = _header(scope, b"content-length")
    return int(told) if told.isascii() and told.isdecimal() else 0


def _header(scope: Scope, name: bytes) -> str:
    return next((_ascii(value).decode() for one, value in scope["headers"] if one == name), "")


def _ascii(value: bytes) -> bytes:
    """What every protocol here can read; headers may hold any bytes."""
    return value.decode("latin-1").encode("ascii", "backslashreplace")
