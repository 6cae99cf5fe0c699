"""A service of rpcs of every kind, one of which declares that it changes nothing, over real gRPC: as a later contract may have.

Every rpc answers with the text it was asked.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor, ServiceDescriptor

KINDS = {
    "Ask": (False, False),
    "Look": (False, False),
    "Wait": (False, False),
    "Tell": (True, False),
    "Talk": (True, True),
}
"""Whether requests and responses are streams, by rpc. Wait never answers."""


def described() -> ServiceDescriptor:
    """The service."""
    file = descriptor_pb2.FileDescriptorProto(name="made_up.proto", package="made.up", syntax="proto3")
    text = file.message_type.add(name="Text").field.add(name="value", number=1)
    text.type, text.label = FieldDescriptor.TYPE_STRING, FieldDescriptor.LABEL_OPTIONAL
    service = file.service.add(name="Kinds")
    for name, (asked, given) in KINDS.items():
        rpc = service.method.add(name=name, client_streaming=asked, server_streaming=given)
        rpc.input_type = rpc.output_type = ".made.up.Text"
        if name == "Look":
            rpc.options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName("made.up.Kinds")


@dataclass
class Heard:
    """What the service learns."""

    metadata: list[dict[str, Any]] = field(default_factory=list)
    """What came along with the calls."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a call waits."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a call that waited is over."""


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, service: ServiceDescriptor, heard: Heard) -> None:
        self._text: Any = message_factory.GetMessageClass(service.methods[0].input_type)
        self._heard = heard

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        self._heard.metadata.append(dict(handler_call_details.invocation_metadata))
        kinds = {"Talk": self._talked, "Wait": self._waited}
        answered = kinds.get(handler_call_details.method.rpartition("/")[2], self._told)
        # On the wire a single message is a stream of one.
        return grpc.stream_stream_rpc_method_handler(answered, self._text.FromString, self._text.SerializeToString)

    async def _talked(self, requests: AsyncIterator[Any], _: object) -> AsyncIterator[Any]:
        async for request in requests:
            yield request

    async def _waited(self, requests: AsyncIterator[Any], _: object) -> AsyncIterator[Any]:
        self._heard.waiting.set()
        try:
            await asyncio.Event().wait()
            yield self._text()
        finally:
            self._heard.left.set()

    async def _told(self, requests: AsyncIterator[Any], _: object) -> AsyncIterator[Any]:
        yield self._text(value=" ".join([request.value async for request in requests]))


@asynccontextmanager
async def made_up_service(heard: Heard) -> AsyncIterator[str]:
    """Serves it on the loop of the test; yields host:port."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(described(), heard),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
