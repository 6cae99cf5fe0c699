"""Health as gRPC tells it: what load balancers, orchestrators and probes ask before they send calls."""

from collections.abc import Mapping
from typing import Final, final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

HEALTH: Final = health.SERVICE_NAME
_STATUS: Final = {True: health_pb2.HealthCheckResponse.SERVING, False: health_pb2.HealthCheckResponse.NOT_SERVING}


@final
class Vitals:
    """The health of a server's services; it asks for no token, and tells nothing but this."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._servicer = health.aio.HealthServicer()  # type: ignore[attr-defined]  # not in grpc-stubs
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def tell(self, serves: Mapping[str, bool]) -> None:
        """Tells from now on whether each service, by its full name, takes calls; "" is the server as a whole."""
        for name, takes_calls in serves.items():
            await self._servicer.set(name, _STATUS[takes_calls])

    async def end(self) -> None:
        """Tells for good that none takes calls."""
        await self._servicer.enter_graceful_shutdown()
