"""The application that serves the contract by HTTP, made of its descriptors: a new rpc is served without a line here.

Calls of one response: POST /<package>.<Service>/<Method>, JSON or protobuf. Streams: Connect's envelopes, gRPC-Web, or plain
JSON with a line a response. https://connectrpc.com/docs/protocol describes the protocol.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectrpc.compression.gzip import GzipCompression
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from starlette.types import ASGIApp

from emotional_ai.connection import REQUEST_LIMIT
from emotional_ai.v1 import engine_pb2, inference_pb2, training_pb2
from emotional_ai.web.doors.codecs import codecs
from emotional_ai.web.doors.entrance import Entrance
from emotional_ai.web.doors.forwarding import Forwarding
from emotional_ai.web.doors.upstream import Method, Upstream

SERVICES: Final[Sequence[ServiceDescriptor]] = tuple(
    service
    for file in (engine_pb2.DESCRIPTOR, inference_pb2.DESCRIPTOR, training_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
)
"""The services of the contract."""
PREFIXES: Final = tuple(f"/{service.full_name}/" for service in SERVICES)
"""What the paths of their rpcs begin with."""

KINDS: Final[Mapping[tuple[bool, bool], StreamType]] = {
    (False, False): StreamType.UNARY,
    (False, True): StreamType.SERVER_STREAM,
    (True, False): StreamType.CLIENT_STREAM,
    (True, True): StreamType.BIDI_STREAM,
}
"""By whether requests and responses are streams."""


class _Application(ConnectASGIApplication[Upstream]):
    """Serves the whole contract, at the root."""

    @property
    def path(self) -> str:
        return ""


def connect_app(upstream: Upstream, services: Sequence[ServiceDescriptor] = SERVICES) -> ASGIApp:
    """Serves every rpc of `services` from the service behind `upstream`, at paths that begin with PREFIXES."""
    methods = {f"/{service.full_name}/{one.name}": _method(one) for service in services for one in service.methods}
    library = _Application(
        service=upstream,
        endpoints=lambda to: {path: _endpoint(to, method) for path, method in methods.items()},
        read_max_bytes=REQUEST_LIMIT,
        compressions=[GzipCompression(level=1)],  # done on the loop that serves the page
        codecs=codecs(),
    )
    return Entrance(methods, library, REQUEST_LIMIT)


def _method(described: MethodDescriptor) -> Method:
    level = MethodOptions.IdempotencyLevel.Name(described.GetOptions().idempotency_level)
    return MethodInfo(
        name=described.name,
        service_name=described.containing_service.full_name,
        input=message_factory.GetMessageClass(described.input_type),
        output=message_factory.GetMessageClass(described.output_type),
        idempotency_level=IdempotencyLevel[level.removeprefix("IDEMPOTENCY_")],
        stream_type=KINDS[described.client_streaming, described.server_streaming],
    )


def _endpoint(upstream: Upstream, method: Method) -> Any:
    """One of the library's kinds of Endpoint, whose types it keeps to itself."""
    forwarding = Forwarding(upstream, method)
    match method.stream_type:
        case StreamType.UNARY:
            return Endpoint.unary(method, forwarding.unary)
        case StreamType.SERVER_STREAM:
            return Endpoint.server_stream(method, forwarding.server_stream)
        case StreamType.CLIENT_STREAM:
            return Endpoint.client_stream(method, forwarding.client_stream)
        case StreamType.BIDI_STREAM:
            return Endpoint.bidi_stream(method, forwarding.bidi_stream)
