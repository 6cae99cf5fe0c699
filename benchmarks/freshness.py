"""A slow reader of a fast state: how old is what it reads, and what does it cost the service when it stops reading?

    python benchmarks/freshness.py [--quick] [--json]

A writer moves a session a thousand times a second. A consumer takes a state 20 times a second, once by StreamState (credit)
and once by WatchState, both through the SDK; the age of a state is the time since the moment it is for, on one clock. Then
100 streams of each kind are never read on, by calls without the SDK, which would: the growth of the service's resident memory
stands beside its growth under the same writing with nobody there, since the log grows too.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

import grpc
import uvloop
from apparatus import outcome
from apparatus.servers import Server, keep_off_the_server, service

from emotional_ai import AsyncClient
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

SESSION: Final = "bench"
CHANGES_PER_SECOND: Final = 1_000
READS_PER_SECOND: Final = 20
STALLED: Final = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part lasts, in seconds."""

    reading: float
    stalled: float


FULL: Final = Plan(reading=30, stalled=60)
QUICK: Final = Plan(reading=5, stalled=10)


@asynccontextmanager
async def writing(client: AsyncClient) -> AsyncIterator[Callable[[], float]]:
    """Moves the session at the pace wanted; yields a function that tells the pace reached."""
    begun, written = time.perf_counter(), 0

    async def write() -> None:
        nonlocal written
        async with client.stream(SESSION, interval_ms=3_600_000) as stream:
            while True:
                late = (time.perf_counter() - begun) * CHANGES_PER_SECOND - written
                for _ in range(int(late)):
                    await stream.send(novelty=0.01 + 0.01 * (written % 2))
                    written += 1
                await asyncio.sleep(1 / CHANGES_PER_SECOND)

    task = asyncio.create_task(write())
    try:
        yield lambda: written / (time.perf_counter() - begun)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ages(states: AsyncIterator[pb.EmotionalState], seconds: float) -> list[float]:
    """Milliseconds since the moment each state taken is for."""
    seen = []
    for _ in range(int(seconds * READS_PER_SECOND)):
        await asyncio.sleep(1 / READS_PER_SECOND)
        state = await anext(states)
        seen.append(time.time() * 1e3 - (state.time.seconds * 1e3 + state.time.nanos / 1e6))
    return seen


async def read(client: AsyncClient, server: Server, kind: str, seconds: float) -> outcome.Row:
    """A consumer of one kind, beside the writer."""
    before = server.resident_bytes()
    async with AsyncExitStack() as stack:
        pace = await stack.enter_async_context(writing(client))
        states: AsyncIterator[pb.EmotionalState]
        if kind == "StreamState":
            states = await stack.enter_async_context(client.stream(SESSION))
        else:
            states = aiter(await stack.enter_async_context(client.watch(SESSION)))
        seen = await ages(states, seconds)
        reached = pace()
    return {
        "consumer": kind,
        "age_p50_ms": round(median(seen), 2),
        "age_p99_ms": round(quantiles(seen, n=100)[98], 2),
        "changes_per_s": round(reached),
        "server_growth_mb": _megabytes(server.resident_bytes() - before),
    }


async def stall_duplex(stack: AsyncExitStack, _client: AsyncClient, server: Server) -> None:
    """Opens StreamStates that never give credit back."""
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
    engine: engine_pb2_grpc.EmotionEngineAsyncStub = engine_pb2_grpc.EmotionEngineStub(channel)
    for _ in range(STALLED):
        call = engine.StreamState()  # type: ignore[call-arg]  # written to below
        stack.callback(call.cancel)
        await call.write(pb.StreamStateRequest(open=pb.StreamOpen(session_id=SESSION)))
        await call.read()


async def stall_watch(stack: AsyncExitStack, _client: AsyncClient, server: Server) -> None:
    """Opens watches whose first state is read and no other; the SDK's would read on."""
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
    engine: engine_pb2_grpc.EmotionEngineAsyncStub = engine_pb2_grpc.EmotionEngineStub(channel)
    for _ in range(STALLED):
        call = engine.WatchState(pb.WatchStateRequest(session_id=SESSION))
        stack.callback(call.cancel)
        await call.read()


async def stall_nobody(_stack: AsyncExitStack, _client: AsyncClient, _server: Server) -> None:
    """Opens nothing: the cost of the log alone."""


Stalling = Callable[[AsyncExitStack, AsyncClient, Server], Awaitable[None]]


async def stall(client: AsyncClient, server: Server, kind: str, stalling: Stalling, seconds: float) -> outcome.Row:
    """Streams that nobody reads, beside the writer; memory is compared from before they were opened."""
    before = server.resident_bytes()
    async with AsyncExitStack() as stack:
        await stalling(stack, client, server)
        opened = server.resident_bytes()
        pace = await stack.enter_async_context(writing(client))
        await asyncio.sleep(seconds)
        after, reached = server.resident_bytes(), pace()
    return {
        "stalled": kind,
        "opening_mb": _megabytes(opened - before),
        "growth_mb": _megabytes(after - opened),
        "changes": round(reached * seconds),
    }


def _megabytes(count: int) -> float:
    return round(count / 2**20, 2)


async def measure(plan: Plan, server: Server) -> outcome.Result:
    """Readers first, then the stalled ones."""
    async with AsyncClient(server.address) as client:
        await client.create_session(SESSION)
        readers = [await read(client, server, kind, plan.reading) for kind in ("StreamState", "WatchState")]
        kinds: dict[str, Stalling] = {"nobody": stall_nobody, "StreamState": stall_duplex, "WatchState": stall_watch}
        stalled = [await stall(client, server, kind, stalling, plan.stalled) for kind, stalling in kinds.items()]
    return {"seconds_stalled": plan.stalled, "readers": readers, "stalled": stalled}


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    with service("memory") as server:
        keep_off_the_server()
        result = uvloop.run(measure(QUICK if flags.quick else FULL, server))
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
