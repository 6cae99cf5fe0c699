"""Calls carried to the service. Each ends there as soon as it ends here, whoever ends it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, cast

from connectrpc.request import RequestContext
from google.protobuf.message import Message
from grpc import aio

from emotional_ai.aio_streams import write
from emotional_ai.web.doors.codecs import Written
from emotional_ai.web.doors.refusals import refusing
from emotional_ai.web.doors.upstream import Method, Upstream

Context = RequestContext[Message, Message]
LARGE: Final = 64 * 1024
"""Bytes of a response whose JSON takes long to write."""
Duplex = aio.StreamStreamCall[Message, Message]


class Forwarding:
    """Carries calls of one method. Each raises ConnectError."""

    def __init__(self, upstream: Upstream, method: Method) -> None:
        self._upstream = upstream
        self._method = method

    async def unary(self, request: Message, context: Context) -> Message:
        """One request, one response."""
        with refusing(self._upstream.target):
            response = await self._upstream.unary(self._method)(request, **self._terms(context))
        large = response.ByteSize() > LARGE and "json" in context.request_headers.get("content-type", "")
        # Written on this loop it would keep everyone else waiting.
        return cast(Message, await asyncio.to_thread(Written, response)) if large else response

    async def server_stream(self, request: Message, context: Context) -> AsyncIterator[Message]:
        """One request, responses as they come."""
        with refusing(self._upstream.target):
            call = self._upstream.server_stream(self._method)(request, **self._terms(context))
            try:
                async for response in call:
                    yield response
            finally:
                call.cancel()

    async def client_stream(self, requests: AsyncIterator[Message], context: Context) -> Message:
        """Requests as they come, one response."""
        async with aclosing(self.bidi_stream(requests, context)) as responses:
            return await anext(responses)

    async def bidi_stream(self, requests: AsyncIterator[Message], context: Context) -> AsyncGenerator[Message, None]:
        """Requests and responses as they come."""
        with refusing(self._upstream.target):
            call = self._upstream.duplex(self._method)(**self._terms(context))
            sending = asyncio.create_task(write(requests, call), name="emotional-ai forwarding")
            try:
                while isinstance(response := await _next(call, sending), Message):
                    yield response
            finally:
                call.cancel()
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    def _terms(self, context: Context) -> dict[str, Any]:
        left = context.timeout_ms
        return {"timeout": None if left is None else max(left / 1000, 0.0), "metadata": self._upstream.metadata}


async def _next(call: Duplex, sending: asyncio.Task[None]) -> Any:
    """The next response; no message at the end. Raises what was wrong with a request."""
    try:
        return await call.read()
    except asyncio.CancelledError:
        if sending.done() and not sending.cancelled() and (wrong := sending.exception()) is not None:
            raise wrong from None
        raise
