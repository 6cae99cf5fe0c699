"""A bare gRPC server that answers each message with its own bytes: what grpc.aio costs before the service does anything.

It has the event loop and the options of the service, so that a ratio of the two is the cost of the service alone.
"""

from collections.abc import AsyncIterator
from typing import Final

import grpc
import uvloop

from emotional_ai_service.listening import new_server
from emotional_ai_service.settings import Settings

UNARY: Final = "/bare.Echo/Unary"
DUPLEX: Final = "/bare.Echo/Duplex"

Context = grpc.aio.ServicerContext[bytes, bytes]


async def unary(request: bytes, _context: Context) -> bytes:
    """The request."""
    return request


async def duplex(requests: AsyncIterator[bytes], context: Context) -> None:
    """Each request as it comes."""
    async for request in requests:
        await context.write(request)


class Echo(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """Both methods, without serialisers: no message is parsed and none is made."""

    def __init__(self) -> None:
        self._handlers = {
            UNARY: grpc.unary_unary_rpc_method_handler(unary),
            DUPLEX: grpc.stream_stream_rpc_method_handler(duplex),
        }

    def service(self, call: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """The handler of the method called."""
        return self._handlers.get(call.method)


async def serve() -> None:
    """Serves on a free port until it is killed."""
    settings = Settings()
    server = new_server(settings)
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port(f"{settings.host}:0")
    await server.start()
    print(f"ready {settings.host}:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
