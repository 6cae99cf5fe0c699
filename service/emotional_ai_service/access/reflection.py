"""The contract told to whoever asks by reflection; behind `guard`, so that it takes a token where there are tokens."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from grpc.aio import ServicerContext
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection import aio  # type: ignore[attr-defined]  # not in its stubs

REFLECTION: Final = pb.DESCRIPTOR.services_by_name["ServerReflection"]


class Reflection(aio.ReflectionServicer):  # type: ignore[name-defined,misc]
    """gRPC's reflection, its responses written as `guard` has it of streams of requests."""

    async def ServerReflectionInfo(
        self,
        requests: AsyncIterator[pb.ServerReflectionRequest],
        context: ServicerContext[pb.ServerReflectionRequest, pb.ServerReflectionResponse],
    ) -> None:
        async with aclosing(super().ServerReflectionInfo(requests, context)) as responses:
            async for response in responses:
                await context.write(response)
