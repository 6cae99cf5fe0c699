"""What stands around every call when it is observed: its name, its place in a trace, its time, its line in the log.

    serve -> [this] -> guard -> servicer

It is there only where metrics, traces or a log were asked for.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, final

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from emotional_ai_service.malformed import Malformed
from emotional_ai_service.observing.call import QUIET, REQUEST_ID, Call, begin_call, request_id_of
from emotional_ai_service.observing.rpcs import RpcCounts, Rpcs

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from emotional_ai_service.observing.tracing import Tracing

Servicer = TypeVar("Servicer")

log = logging.getLogger(__name__)


@final
class Observer:
    """Observes the calls of servicers. `names` has each call named, for the log; a trace names them in any case."""

    def __init__(self, rpcs: Rpcs | None, tracing: "Tracing | None", *, names: bool) -> None:
        self._rpcs = rpcs
        self._tracing = tracing
        self._names = names or tracing is not None

    def around(self, servicer: Servicer, service: ServiceDescriptor) -> Servicer:
        """A guarded servicer, in place, with every method observed; cheaper than an interceptor of gRPC."""
        for one in service.methods:
            method = f"{service.name}/{one.name}"
            counts = RpcCounts() if self._rpcs is None else self._rpcs.of(method)
            wrap = self._stream if one.client_streaming or one.server_streaming else self._unary
            setattr(servicer, one.name, wrap(getattr(servicer, one.name), method, counts))
        return servicer

    def _unary(self, inner: Callable[..., Awaitable[Any]], method: str, counts: RpcCounts) -> Callable[..., Any]:
        async def answered(request: Message, context: Any) -> Any:
            under_way = _UnderWay(self._tracing, method, counts)
            try:
                if self._names:
                    context.set_trailing_metadata(told(under_way.named(request, context)))
                return await inner(request, context)
            except asyncio.CancelledError:
                under_way.cancelled(context)
                raise
            except Exception:
                under_way.failed(context)
                raise
            finally:
                under_way.ended(context)

        return answered

    def _stream(self, inner: Callable[..., Awaitable[None]], method: str, counts: RpcCounts) -> Callable[..., Any]:
        """For handlers that write their responses by themselves, as the guard's do."""

        async def answered(asked: Message | Malformed | AsyncIterator[Message], context: Any) -> None:
            under_way = _UnderWay(self._tracing, method, counts)
            try:
                if self._names:
                    call = under_way.named(asked if isinstance(asked, Message) else None, context)
                    await context.send_initial_metadata(told(call))
                    asked = asked if isinstance(asked, Message | Malformed) else call.read(asked)
                await inner(asked, context)
            except asyncio.CancelledError:
                under_way.cancelled(context)
                raise
            except Exception:
                under_way.failed(context)
                raise
            finally:
                under_way.ended(context)

        return answered


def told(call: Call) -> tuple[tuple[str, str], ...]:
    """Metadata that tells the caller the name of the call."""
    return ((REQUEST_ID, call.request_id),)


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

    def named(self, request: Message | None, context: Any) -> Call:
        """Gives the call its name, for this task and those it begins."""
        metadata = context.invocation_metadata() or ()
        one = Call(request_id_of(metadata), self._method, request)
        begin_call(one)
        if self._tracing is not None:
            self._span = self._tracing.begin_call(one, metadata)
        self._named = True
        return one

    def cancelled(self, context: Any) -> None:
        """The call was given up: by the caller, or by its deadline."""
        remaining = context.time_remaining()
        self._code = "DEADLINE_EXCEEDED" if remaining is not None and remaining <= 0 else "CANCELLED"

    def failed(self, context: Any) -> None:
        """The call came to an error; one that gave it no status gRPC answers with UNKNOWN."""
        if context.code() is None:
            self._code = "UNKNOWN"

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
