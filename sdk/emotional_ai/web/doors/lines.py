"""Streams in plain JSON, for `curl -N` and whoever reads a line at a time.

A stream's requests and responses travel as the Connect protocol has them, each in an envelope of five bytes; here JSON comes in
bare and goes out as a line a response. An error before the first response is answered with its HTTP status, as that of a call
with one response; later ones are a last line {"error": {"code": ..., "message": ..., "details": [...]}}.
"""

import json
import struct
from collections.abc import Iterator
from typing import Final

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from starlette.types import Message, Receive, Send

from emotional_ai.web.doors.refusals import HTTP_STATUS

MEDIA_TYPE: Final = "application/x-ndjson"
ENVELOPE: Final = struct.Struct(">BI")
HTTP_OK: Final = 200
LAST: Final = 0b10
"""Flag of the envelope that ends a stream."""


class Lines:
    """One call: its requests put into envelopes, its responses taken out of them.

    Requests come a line each if there may be `many`; else the body is one.
    """

    def __init__(self, receive: Receive, send: Send, *, many: bool, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._many = many
        self._limit = limit
        self._rest = b""
        self._bare = False
        """Whether the answer is in no envelopes, since the call was refused outright."""
        self._started = False

    async def receive(self) -> Message:
        """The request in envelopes. Raises ConnectError for a message beyond the limit."""
        event = await self._receive()
        if event["type"] != "http.request":
            return event
        more = event.get("more_body", False)
        whole = self._messages(event.get("body", b""), more=more)
        return {"type": "http.request", "body": b"".join(map(_enveloped, whole)), "more_body": more}

    async def send(self, event: Message) -> None:
        """Sends an answer in envelopes on, without them."""
        if event["type"] == "http.response.start":
            self._bare = event["status"] != HTTP_OK
        if self._bare:
            await self._send(event)
        elif event["type"] == "http.response.body":
            for flags, payload in _opened(event.get("body", b"")):
                await (self._end(payload) if flags & LAST else self._line(payload, more=True))

    def _messages(self, arrived: bytes, *, more: bool) -> list[bytes]:
        """Messages that are whole now."""
        self._rest += arrived
        whole: list[bytes] = []
        if self._many:
            *whole, self._rest = self._rest.split(b"\n")
        if not more:
            whole, self._rest = [*whole, self._rest], b""
        if any(len(message) > self._limit for message in [*whole, self._rest]):
            raise too_large(self._limit)
        return [message for message in whole if message.strip()] if self._many else whole

    async def _line(self, payload: bytes, *, more: bool) -> None:
        await self._start(HTTP_OK, MEDIA_TYPE)
        await self._send({"type": "http.response.body", "body": payload + b"\n", "more_body": more})

    async def _end(self, payload: bytes) -> None:
        error = json.loads(payload).get("error")
        if error is None:
            await self._start(HTTP_OK, MEDIA_TYPE)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif self._started:
            await self._line(_json({"error": error}), more=False)
        else:
            await self._start(HTTP_STATUS[Code(error["code"])], "application/json")
            await self._send({"type": "http.response.body", "body": _json(error), "more_body": False})

    async def _start(self, status: int, media_type: str) -> None:
        if not self._started:
            self._started = True
            headers = [(b"content-type", media_type.encode())]
            await self._send({"type": "http.response.start", "status": status, "headers": headers})


def too_large(limit: int) -> ConnectError:
    """A message beyond the limit."""
    return ConnectError(Code.RESOURCE_EXHAUSTED, f"a message may have {limit / 2**20:g} MiB; send less in one")


def _enveloped(message: bytes) -> bytes:
    return ENVELOPE.pack(0, len(message)) + message


def _opened(body: bytes) -> Iterator[tuple[int, bytes]]:
    while body:
        flags, length = ENVELOPE.unpack_from(body)
        yield flags, body[ENVELOPE.size : ENVELOPE.size + length]
        body = body[ENVELOPE.size + length :]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
