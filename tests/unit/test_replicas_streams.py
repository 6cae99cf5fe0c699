"""A stream on a store that is far away and shared: what it is told, and when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import grpc
import pytest
from distant_store import DistantStore, Gates, turns
from wire_client import event

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc
from emotional_ai_service.guard import guard
from emotional_ai_service.server import ENGINE, wall_clock
from emotional_ai_service.servicers import EmotionEngineServicer
from emotional_ai_service.stores import MemoryStore
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.validation import check

PATIENCE = 30.0
StreamCall: TypeAlias = "grpc.aio.StreamStreamCall[pb.StreamStateRequest, pb.StreamStateResponse]"


@dataclass(frozen=True, slots=True)
class Far:
    """A service far from its store, whose ways a test can hold."""

    engine: "engine_pb2_grpc.EmotionEngineAsyncStub"
    kept: MemoryStore
    there: Gates
    back: Gates
    drain: Drain


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    kept, there, back, drain = MemoryStore(shared=True), Gates(), Gates(), Drain()
    engines = Engines(DistantStore(kept, there, back), wall_clock)
    async with served(engines, drain) as address, grpc.aio.insecure_channel(address) as channel:
        engine: engine_pb2_grpc.EmotionEngineAsyncStub = engine_pb2_grpc.EmotionEngineStub(channel)
        await engine.CreateSession(pb.CreateSessionRequest(session_id="ada"))
        async with asyncio.timeout(PATIENCE):
            yield Far(engine, kept, there, back, drain)


@asynccontextmanager
async def served(engines: Engines, drain: Drain) -> AsyncIterator[str]:
    """Serves in this loop; yields host:port."""
    server = grpc.aio.server()
    engine_pb2_grpc.add_EmotionEngineServicer_to_server(
        guard(EmotionEngineServicer(engines, drain), ENGINE, check), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(PATIENCE)


async def opened(far: Far, token: str = "") -> tuple[StreamCall, pb.StreamStateResponse]:
    """A stream, and the first it is told."""
    call: StreamCall = far.engine.StreamState()  # type: ignore[call-arg]  # written to below
    await call.write(pb.StreamStateRequest(open=pb.StreamOpen(session_id="ada", credit=64, resume_token=token)))
    return call, await told(call)


async def told(call: StreamCall) -> pb.StreamStateResponse:
    """The next response."""
    response = await call.read()
    assert isinstance(response, pb.StreamStateResponse)
    return response


def batch(number: int) -> pb.StreamStateRequest:
    return pb.StreamStateRequest(batch=pb.StimulusBatch(number=number, stimuli=[event(reward=0.1)]))


async def test_each_batch_is_answered_once_when_it_is_stored(far: Far) -> None:
    call, _ = await opened(far)
    for number in range(1, 6):
        await call.write(batch(number))
        response = await told(call)
        assert (response.acknowledged_batch, response.state.version) == (number, number + 1)
        assert (response.sequence, response.coalesced) == (number + 1, 0)
    call.cancel()


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_batch_on_its_way_when_the_service_ends_is_waited_for(far: Far, way: str) -> None:
    call, first = await opened(far)
    gates: Gates = getattr(far, way)
    gates.shut("append")
    await call.write(batch(1))
    while not gates.waiting:
        await turns(1)
    far.drain.begin()
    await turns(50)
    gates.open("append")
    last = await told(call)
    assert (last.draining, last.acknowledged_batch, last.resume_token) == (True, 1, first.resume_token)
    assert not await call.read()  # The end of the stream.


async def test_batches_that_come_while_one_is_on_its_way_are_stored_after_it_in_their_order(far: Far) -> None:
    call, _ = await opened(far)
    far.there.shut("append")
    for number in range(1, 4):
        await call.write(batch(number))
    while not far.there.waiting:
        await turns(1)
    await turns(50)
    assert far.there.waiting == ["append"]
    far.there.open("append")
    while (await told(call)).acknowledged_batch < 3:
        pass
    call.cancel()
    assert len(await far.kept.read("ada")) == 4
