"""A gRPC method called in this process: bytes in, bytes or a status out, by the handlers that the server has.

What every refusal must hold is asked here: no INTERNAL and no UNKNOWN, an ErrorInfo, named fields where an argument is invalid,
and no more of it than the headers of an answer can carry.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from emotional_ai_service.malformed import readable
from hostile.tally import Broken

MOST_RESPONSES: Final = 50
"""Responses of a stream that are read before it is left."""
HEADERS: Final = 8000
"""Bytes of headers a client takes for sure: half of gRPC's hard limit."""
DETAILS: Final = "grpc-status-details-bin"


class Methods:
    """Stands where a server does while methods are registered, and finds them by their path."""

    def __init__(self) -> None:
        self._handlers: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        self._handlers.extend(handlers)

    def found(self, path: str) -> Any:
        details = SimpleNamespace(method=path, invocation_metadata=())
        return next(found for one in self._handlers if (found := one.service(details)) is not None)

    @property
    def server(self) -> grpc.aio.Server:
        """What to give to the generated `add_..._to_server`."""
        return readable(self)  # type: ignore[arg-type]


@dataclass(slots=True)
class Context:
    """The side of a call that a servicer sees."""

    responses: list[bytes] = field(default_factory=list)
    serialize: Any = bytes
    refused: tuple[grpc.StatusCode, str, bytes] | None = None
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing: Sequence[tuple[str, Any]] = ()) -> None:
        self.refused = code, details, dict(trailing).get(DETAILS, b"")
        raise grpc.aio.AbortError

    async def write(self, message: Message) -> None:
        self.responses.append(self.serialize(message))
        if len(self.responses) >= MOST_RESPONSES:
            self.enough.set()
        await asyncio.sleep(0)

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def set_trailing_metadata(self, metadata: object) -> None:
        pass

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def cancelled(self) -> bool:
        return False


async def unary(methods: Methods, path: str, body: bytes) -> bytes | Context:
    """The response of a method, or the context in which it was refused."""
    handler, context = methods.found(path), Context()
    try:
        response = await handler.unary_unary(handler.request_deserializer(body), context)
    except grpc.aio.AbortError:
        return context
    answered: bytes = handler.response_serializer(response)
    return answered


async def stream(methods: Methods, path: str, bodies: Sequence[bytes], *, turns: int) -> Context:
    """A stream until it ends, has said enough, or was left after `turns` turns of the loop in which nothing came."""
    handler, context = methods.found(path), Context()
    context.serialize = handler.response_serializer
    requests = [handler.request_deserializer(body) for body in bodies]
    if handler.request_streaming:
        running = asyncio.ensure_future(handler.stream_stream(_one_by_one(requests, turns), context))
    else:
        running = asyncio.ensure_future(handler.unary_stream(requests[0], context))
    said = -1
    while not running.done() and not context.enough.is_set() and len(context.responses) > said:
        said = len(context.responses)
        for _ in range(turns):
            await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError, grpc.aio.AbortError):
        await running
    return context


async def _one_by_one(requests: Sequence[Any], turns: int) -> AsyncIterator[Any]:
    for request in requests:
        yield request
        await asyncio.sleep(0)
    if turns % 2:  # half of the clients hang on without a word
        await asyncio.Event().wait()


def outcome(given: bytes | Context) -> str:
    """OK, or the name of the code; raises Broken for a refusal that is none."""
    if isinstance(given, bytes) or given.refused is None:
        return "OK"
    code, details, packed = given.refused
    return checked(code, details, packed)


def checked(code: grpc.StatusCode, details: str, packed: bytes) -> str:
    """The name of a refusal's code. Raises Broken where it lacks what a refusal must hold."""
    if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
        raise Broken(f"{code.name}: {details[:300]}")
    status = status_pb2.Status.FromString(packed)
    told = {detail.TypeName().rpartition(".")[2]: detail for detail in status.details}
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    if "ErrorInfo" not in told or not told["ErrorInfo"].Unpack(info) or not info.reason:
        raise Broken(f"{code.name} without ErrorInfo: {details[:300]}")
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        if "BadRequest" not in told or not told["BadRequest"].Unpack(request):
            raise Broken(f"{info.reason} without the fields that are wrong: {details[:300]}")
        if not all(one.field and one.description for one in request.field_violations):
            raise Broken(f"{info.reason} names no field: {details[:300]}")
    if len(packed) * 4 / 3 + len(details.encode()) > HEADERS:
        raise Broken(f"{info.reason} takes {len(packed)} + {len(details.encode())} bytes, too many for headers")
    return code.name
