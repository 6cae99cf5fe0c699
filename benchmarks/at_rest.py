"""Resident memory of the service that a session takes: just made, and written to once, on SQLite and on Redis.

    python benchmarks/at_rest.py [--quick] [--json]

Sessions of one configuration are made, then each is written to once, under a request id of its own; the growth of resident
memory is divided by how many there are. All of them stay live. The service has one core, whoever asks it the other.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import grpc
from apparatus import outcome
from apparatus.redis import redis
from apparatus.servers import Server, keep_off_the_server, service

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub

EVENT: Final = pb.Stimulus(event=pb.Signals(reward=0.05, social_warmth=0.02))
AT_A_TIME: Final = 64
"""Calls in flight."""
WARM: Final = 400
"""Sessions made before memory is read: what is loaded and allocated once is not theirs."""
FULL, QUICK = 10_000, 1_500
"""Sessions."""


async def for_each(names: Sequence[str], act: Callable[[str], Awaitable[object]]) -> None:
    """Calls `act` with every name, so many at a time."""
    waiting = iter(names)

    async def one_after_another() -> None:
        for name in waiting:
            await act(name)

    await asyncio.gather(*(one_after_another() for _ in range(AT_A_TIME)))


async def measure(server: Server, sessions: int) -> dict[str, float]:
    """Bytes of a session that was made, and of one that was written to once."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        engine = EmotionEngineStub(channel)

        async def make(name: str) -> None:
            await engine.CreateSession(pb.CreateSessionRequest(session_id=name))

        async def write(name: str) -> None:
            await engine.ApplyStimuli(pb.ApplyStimuliRequest(session_id=name, stimuli=[EVENT], request_id=f"r-{name}"))

        warm, names = [f"warm{number}" for number in range(WARM)], [f"s{number}" for number in range(sessions)]
        await for_each(warm, make)
        await for_each(warm, write)
        empty = server.resident_bytes()
        await for_each(names, make)
        made = server.resident_bytes()
        await for_each(names, write)
        written = server.resident_bytes()
    return {"made_bytes": round((made - empty) / sessions), "written_bytes": round((written - empty) / sessions)}


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    sessions = QUICK if flags.quick else FULL
    live = ("--live-sessions", str(sessions + WARM))
    keep_off_the_server()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with service("sqlite", folder / "at_rest.db", flags=live) as server:
            result: dict[str, outcome.Row] = {"sqlite": asyncio.run(measure(server, sessions))}
        url = stack.enter_context(redis(folder))
        with service("redis", flags=("--redis-url", url, *live)) as server:
            result["redis"] = asyncio.run(measure(server, sessions))
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
