"""Requests that are no message of the contract, which gRPC would answer with UNKNOWN and a traceback in the log.

readable      a server whose methods are handed such a request as Malformed
unless_read   refuses it; the guard asks before anything looks at a request
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import grpc
from google.protobuf.message import DecodeError

from emotional_ai_service.errors import InvalidRequest, Violation

LONGEST_TOLD: Final = 200


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that were no message, and why."""

    why: str


def readable(server: grpc.aio.Server) -> grpc.aio.Server:
    """What to give to the generated `add_..._to_server` instead of the server."""
    return cast(grpc.aio.Server, _Readable(server))


def unless_read(request: object) -> None:
    """Raises InvalidRequest for a request that is Malformed."""
    if isinstance(request, Malformed):
        raise InvalidRequest([Violation("request", f"is no message of this method: {request.why}")])


class _Readable:
    """Registers methods on a server, each with a parser that raises nothing."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Left to the other, which is told the same methods by name."""

    def add_registered_method_handlers(self, service: str, methods: Mapping[str, Any]) -> None:
        reading = {
            name: method._replace(request_deserializer=_lenient(method.request_deserializer))
            for name, method in methods.items()
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, reading),))


def _lenient(parse: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def read(given: bytes) -> object:
        try:
            return parse(given)
        except DecodeError as error:
            return Malformed(str(error)[:LONGEST_TOLD])

    return read
