"""SIGTERM with 100 streams open: every one must be told so, with what it takes to go on, and end cleanly.

    python benchmarks/drain.py [--quick] [--json]

Half of the streams are StreamState, which end with a resume token, half WatchState, which go on from the version of their
last state. Seconds are from the signal to the last stream's end, and to the end of the process.
"""

import asyncio
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Final, TypeAlias

import grpc
import uvloop
from apparatus import outcome
from apparatus.servers import Server, keep_off_the_server, service

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

STREAMS: Final = 100
FULL: Final = 5
QUICK: Final = 2
"""Servers brought up and drained."""
SESSION: Final = "bench"

Stub: TypeAlias = "engine_pb2_grpc.EmotionEngineAsyncStub"


@dataclass(frozen=True, slots=True)
class Goodbye:
    """How one stream ended."""

    told: bool
    """The last message said `draining`, and how to go on."""
    code: grpc.StatusCode
    at: float


async def follow_duplex(engine: Stub, opened: asyncio.Barrier) -> Goodbye:
    """A StreamState that acknowledges what it gets."""
    call = engine.StreamState()  # type: ignore[call-arg]  # written to below
    await call.write(pb.StreamStateRequest(open=pb.StreamOpen(session_id=SESSION)))
    response: object = await call.read()
    last = pb.StreamStateResponse()
    await opened.wait()
    while isinstance(response, pb.StreamStateResponse):
        last = response
        if not last.draining:
            await call.write(pb.StreamStateRequest(ack=pb.StreamAck(sequence=last.sequence)))
        response = await call.read()
    return Goodbye(last.draining and bool(last.resume_token), await call.code(), perf_counter())


async def follow_watch(engine: Stub, opened: asyncio.Barrier) -> Goodbye:
    """A WatchState."""
    call = engine.WatchState(pb.WatchStateRequest(session_id=SESSION))
    response: object = await call.read()
    last = pb.WatchStateResponse()
    await opened.wait()
    while isinstance(response, pb.WatchStateResponse):
        last = response
        response = await call.read()
    return Goodbye(last.draining and last.state.version > 0, await call.code(), perf_counter())


async def drain(server: Server) -> outcome.Row:
    """Opens the streams, sends the signal, and waits for all of them."""
    opened = asyncio.Barrier(STREAMS + 1)
    async with grpc.aio.insecure_channel(server.address) as channel:
        engine: engine_pb2_grpc.EmotionEngineAsyncStub = engine_pb2_grpc.EmotionEngineStub(channel)
        await engine.CreateSession(pb.CreateSessionRequest(session_id=SESSION))
        async with asyncio.TaskGroup() as group:
            followers = [
                group.create_task((follow_watch if number % 2 else follow_duplex)(engine, opened))
                for number in range(STREAMS)
            ]
            await opened.wait()
            signalled = perf_counter()
            server.process.terminate()
        goodbyes = [follower.result() for follower in followers]
    status = await asyncio.to_thread(server.process.wait, 30)
    clean = sum(goodbye.told and goodbye.code is grpc.StatusCode.OK for goodbye in goodbyes)
    return {
        "clean": clean,
        "streams_s": round(max(goodbye.at for goodbye in goodbyes) - signalled, 3),
        "process_s": round(perf_counter() - signalled, 3),
        "exit_status": status,
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    rows = []
    keep_off_the_server()
    for _ in range(QUICK if flags.quick else FULL):
        with service("memory") as server:
            rows.append(uvloop.run(drain(server)))
    result: outcome.Result = {
        "streams": STREAMS,
        "clean": min(int(row["clean"]) for row in rows),
        "streams_s": median(float(row["streams_s"]) for row in rows),
        "drains": rows,
    }
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
