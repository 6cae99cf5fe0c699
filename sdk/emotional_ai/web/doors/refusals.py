"""What a caller by HTTP is told when something cannot be done: code, words, and details of the contract."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from protobuf.wkt import Any as WireAny
from protobuf.wkt import Struct

from emotional_ai.connection import start_command
from emotional_ai.errors import DETAILS_KEY, DeadlineExceeded, EmotionalAIError, Unavailable, raised
from emotional_ai.v1 import status_pb2 as pb

CODES: Final[Mapping[grpc.StatusCode, Code]] = {
    status: Code.CANCELED if status is grpc.StatusCode.CANCELLED else Code[status.name]
    for status in grpc.StatusCode
    if status is not grpc.StatusCode.OK
}
"""The protocol's code of every status that is an error."""

HTTP_STATUS: Final[Mapping[Code, int]] = {
    Code.CANCELED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""The HTTP status that the Connect protocol gives each code."""

CLOSING: Final = "this address is about to close; try again when it is back"
LOST: Final = "Internal error from Core"
"""What gRPC says of a message that was still to be sent when the answer came; the answer is lost in it."""
AGAIN: Final = "why is told to who sends it again, a message after each answer"
DOMAIN: Final = "emotional-ai"
TYPES: Final = "type.googleapis.com/"
READ: Final[Mapping[str, type[Message]]] = {
    "google.rpc.ErrorInfo": pb.RpcErrorInfo,
    "google.rpc.BadRequest": pb.RpcBadRequest,
    "google.rpc.RetryInfo": pb.RpcRetryInfo,
}
"""Details that are shown in JSON as well, by type."""


class Detail(ErrorDetail):
    """A detail of an error, shown in JSON as well (`debug`) where its type is one of the contract's.

    Raises DecodeError for what is not of its type.
    """

    def __init__(self, type_url: str, value: bytes) -> None:
        super().__init__(WireAny(type_url=type_url, value=value))
        kind = READ.get(self.type_name)
        self._shown = None if kind is None else Struct.from_json(json_format.MessageToJson(kind.FromString(value)))

    def value(self, desc_or_registry: Any = None) -> Any:
        """The detail as a message: without a type, as the object its JSON is."""
        return self._shown if desc_or_registry is None else super().value(desc_or_registry)


def invalid(reason: str, field: str, description: str) -> ConnectError:
    """A request with one wrong field, or with none to name, found before it was sent to the service."""
    info = pb.RpcErrorInfo(reason=reason, domain=DOMAIN)
    broken = pb.RpcBadRequest.FieldViolation(field=field, description=description)
    request = pb.RpcBadRequest(field_violations=[broken])
    details = [("google.rpc.ErrorInfo", info), ("google.rpc.BadRequest", request)]
    return ConnectError(
        Code.INVALID_ARGUMENT,
        f"{field}: {description}" if field else description,
        [Detail(TYPES + name, message.SerializeToString()) for name, message in details],
    )


@contextmanager
def refusing(target: str) -> Iterator[None]:
    """Raises as ConnectError what a call to the service at `target` ends with."""
    try:
        yield
    except grpc.RpcError as error:
        raise refused(error, target) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # gRPC ends calls so when their channel is closed.
        raise ConnectError(Code.UNAVAILABLE, CLOSING) from error
    except grpc.aio.UsageError as error:
        # The channel was closed before the call began.
        raise ConnectError(Code.UNAVAILABLE, CLOSING) from error


def refused(error: grpc.RpcError, target: str) -> ConnectError:
    """The protocol's form of an error of the service at `target`."""
    known = raised(error)
    if isinstance(error, grpc.aio.AioRpcError) and error.details() == LOST:
        return ConnectError(Code.UNAVAILABLE, f"the call ended while it was still being sent; {AGAIN}")
    return ConnectError(CODES[known.code], _words(known, target), _details(error))


def _words(error: EmotionalAIError, target: str) -> str:
    if error.reason:
        return error.message
    match error:
        case Unavailable():
            return f"no service answers at {target}; `{start_command(target)}` starts one"
        case DeadlineExceeded():
            return (
                "no answer in time, and what was asked may have happened; give connect-timeout-ms more, or leave it out"
            )
        case _:
            return str(error)


def _details(error: grpc.RpcError) -> list[ErrorDetail]:
    trailers = error.trailing_metadata() if isinstance(error, grpc.aio.AioRpcError) else None
    try:
        told = dict(cast(Iterable[tuple[str, bytes]], trailers or ())).get(DETAILS_KEY, b"")
        return [Detail(detail.type_url, detail.value) for detail in pb.RpcStatus.FromString(told).details]
    except DecodeError:
        return []
