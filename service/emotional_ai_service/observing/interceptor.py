"""What stands around every call when it is observed: its name, its place in a trace, its time, its line in the log.

    serve -> [this] -> guard -> servicer

It is there only where metrics, traces or a log were asked for. A handler is wrapped once, however often it is called.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, final

import grpc
from google.protobuf.message import Message

from emotional_ai_service.observing.call import REQUEST_ID, Call, begin_call, request_id_of
from emotional_ai_service.observing.rpcs import RpcCounts, Rpcs

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from emotional_ai_service.observing.tracing import Tracing

OURS: Final = "/emotional_ai.v1."
"""How the methods begin that are observed; health and reflection are not."""
QUIET: Final = frozenset({"OK", "CANCELLED"})

log = logging.getLogger(__name__)
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


@final
class Observer(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stub alone
    """Observes the calls of a server. `names` has each call named, for logs and traces."""

    def __init__(self, rpcs: Rpcs | None, tracing: "Tracing | None", *, names: bool) -> None:
        self._rpcs = rpcs
        self._tracing = tracing
        self._names = names or tracing is not None
        self._wrapped: dict[str, tuple[Any, Any]] = {}

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a call, observed; of another's methods as it is."""
        handler, method = await continuation(handler_call_details), handler_call_details.method
        if handler is None or not method.startswith(OURS):
            return handler
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, self._observed(handler, method.removeprefix(OURS)))
        return known[1]

    def _observed(self, handler: Any, method: str) -> Any:
        codec = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        counts = RpcCounts() if self._rpcs is None else self._rpcs.of(method)
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(self._stream(handler.stream_stream, method, counts), **codec)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream, method, counts), **codec)
        return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary, method, counts), **codec)

    def _unary(self, inner: Callable[..., Awaitable[Any]], method: str, counts: RpcCounts) -> Callable[..., Any]:
        async def answered(request: Message, context: Any) -> Any:
            under_way = _UnderWay(self._tracing, method, counts)
            if self._names:
                context.set_trailing_metadata(under_way.named(request, context))
            try:
                return await inner(request, context)
            except asyncio.CancelledError:
                under_way.cancelled(context)
                raise
            finally:
                under_way.ended(context)

        return answered

    def _stream(self, inner: Callable[..., Awaitable[None]], method: str, counts: RpcCounts) -> Callable[..., Any]:
        """For handlers that write their responses by themselves, as the guard's do."""

        async def answered(asked: Message | AsyncIterator[Message], context: Any) -> None:
            under_way = _UnderWay(self._tracing, method, counts)
            try:
                if self._names:
                    request = asked if isinstance(asked, Message) else None
                    await context.send_initial_metadata(under_way.named(request, context))
                await inner(asked, context)
            except asyncio.CancelledError:
                under_way.cancelled(context)
                raise
            finally:
                under_way.ended(context)

        return answered


class _UnderWay:
    """One call from its beginning to its end."""

    __slots__ = ("_began", "_code", "_counts", "_method", "_named", "_span", "_tracing")

    def __init__(self, tracing: "Tracing | None", method: str, counts: RpcCounts) -> None:
        self._began = time.monotonic()
        self._code: str | None = None
        self._counts = counts
        self._method = method
        self._named = False
        self._span: Span | None = None
        self._tracing = tracing
        counts.in_flight += 1

    def named(self, request: Message | None, context: Any) -> tuple[tuple[str, str], ...]:
        """Gives the call its name, for this task and for the caller, who is sent what is returned."""
        metadata = context.invocation_metadata() or ()
        one = Call(request_id_of(metadata), self._method, request)
        begin_call(one)
        if self._tracing is not None:
            self._span = self._tracing.begin_call(one, metadata)
        self._named = True
        return ((REQUEST_ID, one.request_id),)

    def cancelled(self, context: Any) -> None:
        """The call was given up: by the caller, or by its deadline."""
        remaining = context.time_remaining()
        self._code = "DEADLINE_EXCEEDED" if remaining is not None and remaining <= 0 else "CANCELLED"

    def ended(self, context: Any) -> None:
        """Counts the call, and tells of it."""
        seconds = time.monotonic() - self._began
        set_by_servicer = context.code()
        code = self._code or ("OK" if set_by_servicer is None else set_by_servicer.name)
        self._counts.in_flight -= 1
        self._counts.ended(code, seconds)
        if self._span is not None and self._tracing is not None:
            self._tracing.end_call(self._span, code)
        level = logging.DEBUG if code in QUIET else logging.INFO
        if self._named and log.isEnabledFor(level):
            facts = {"code": code, "seconds": round(seconds, 6)}
            log.log(level, "ended with %s after %.6f s", code, seconds, extra=facts)
