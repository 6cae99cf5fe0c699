"""StreamState against a bare bidirectional echo of the same bytes, one stimulus a message and 32 stimuli a message.

    python benchmarks/bidi.py [--quick] [--json]

Each of 8 streams, to a session of its own in memory, sends a message once the response to the one before has come, and gives
credit back every 32 responses. Messages are made in advance and responses are left as bytes, yet the generator, in Python
too, may be slower than the server: processor time of the server is what tells the cost of a message, throughput is told as
well. Both compare stimuli with messages of the echo, which carry one each. A ratio is that of one round, and the median of
the rounds is told.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Final

import grpc
import uvloop
from apparatus import echo, outcome
from apparatus.servers import Server, keep_off_the_server
from apparatus.servers import echo as echo_server
from apparatus.servers import service as service_server

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

METHOD: Final = "/emotional_ai.v1.EmotionEngine/StreamState"
STREAMS: Final = 8
ACK_EVERY: Final = 32
STIMULUS: Final = pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))

Call = grpc.aio.StreamStreamCall[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    messages: int
    """Messages on each stream in a round; a fourth as many where each carries 32 stimuli."""


FULL: Final = Plan(rounds=9, messages=2_000)
QUICK: Final = Plan(rounds=5, messages=400)


@dataclass(frozen=True, slots=True)
class Speed:
    """What one server did in one round."""

    stimuli_per_second: float
    server_us_per_stimulus: float


class Stream:
    """One open stream, in lockstep."""

    def __init__(self, call: Call, batch_size: int, *, acknowledging: bool) -> None:
        self._call = call
        self._numbers = itertools.count(1)
        self._size = batch_size
        self._acknowledging = acknowledging
        self._received = 0

    async def open(self, session_id: str) -> None:
        """Opens it on the service."""
        opened = pb.StreamOpen(session_id=session_id, credit=64)
        await self._call.write(pb.StreamStateRequest(open=opened).SerializeToString())
        await self._receive()

    def messages(self, count: int) -> list[bytes]:
        """The next messages, ready to be sent."""
        return [
            pb.StreamStateRequest(
                batch=pb.StimulusBatch(number=number, stimuli=[STIMULUS] * self._size)
            ).SerializeToString()
            for number in itertools.islice(self._numbers, count)
        ]

    async def exchange(self, messages: list[bytes]) -> None:
        """Sends each message once the response to the one before has come."""
        for message in messages:
            await self._call.write(message)
            await self._receive()
            if self._acknowledging and self._received % ACK_EVERY == 0:
                ack = pb.StreamAck(sequence=self._received)
                await self._call.write(pb.StreamStateRequest(ack=ack).SerializeToString())

    async def _receive(self) -> None:
        # `read` answers with a marker of grpc's where the stream has ended.
        if not isinstance(await self._call.read(), bytes):
            raise RuntimeError(f"the stream ended: {await self._call.details()}")
        self._received += 1


@dataclass(frozen=True, slots=True)
class Contender:
    """A server, and the streams open to it."""

    server: Server
    streams: list[Stream]
    batch_size: int

    async def round(self, messages: int) -> Speed:
        """Runs all streams at once."""
        ready = [stream.messages(messages) for stream in self.streams]
        cpu, begun = self.server.cpu_seconds(), perf_counter()
        await asyncio.gather(*(stream.exchange(each) for stream, each in zip(self.streams, ready, strict=True)))
        seconds, spent = perf_counter() - begun, self.server.cpu_seconds() - cpu
        stimuli = messages * len(self.streams) * self.batch_size
        return Speed(stimuli / seconds, spent / stimuli * 1e6)


def sessions(name: str) -> Iterator[str]:
    """Ids of the sessions a contender streams to."""
    return (f"{name}-{number}" for number in range(STREAMS))


async def connect(stack: AsyncExitStack, server: Server, name: str, batch_size: int) -> Contender:
    """Opens the streams of one contender."""
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
    bare = name.startswith("echo")
    streams = []
    for session_id in sessions(name):
        call: Call = channel.stream_stream(echo.DUPLEX if bare else METHOD)()  # type: ignore[call-arg]  # bytes, written later
        stack.callback(call.cancel)
        stream = Stream(call, batch_size, acknowledging=not bare)
        if not bare:
            engine = engine_pb2_grpc.EmotionEngineStub(channel)
            await engine.CreateSession(pb.CreateSessionRequest(session_id=session_id))
            await stream.open(session_id)
        streams.append(stream)
    return Contender(server, streams, batch_size)


async def measure(plan: Plan, bare: Server, service: Server) -> outcome.Result:
    """Every contender in every round, in turns."""
    rounds: defaultdict[str, list[Speed]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        contenders = {
            "echo": await connect(stack, bare, "echo", 1),
            "one": await connect(stack, service, "one", 1),
            "batched": await connect(stack, service, "batched", 32),
        }
        for turn in range(plan.rounds + 1):
            for name, contender in contenders.items():
                speed = await contender.round(plan.messages // (4 if contender.batch_size > 1 else 1))
                if turn:  # The first one warms up.
                    rounds[name].append(speed)
    return {
        "rounds": plan.rounds,
        "streams": STREAMS,
        "contenders": [_row(name, seen, rounds["echo"]) for name, seen in rounds.items()],
    }


def _row(name: str, seen: list[Speed], bare: list[Speed]) -> outcome.Row:
    pairs = list(zip(seen, bare, strict=True))
    cost = [other.server_us_per_stimulus / one.server_us_per_stimulus for one, other in pairs]
    speed = [one.stimuli_per_second / other.stimuli_per_second for one, other in pairs]
    return {
        "contender": name,
        "stimuli_per_s": round(median(one.stimuli_per_second for one in seen)),
        "server_us_per_stimulus": round(median(one.server_us_per_stimulus for one in seen), 1),
        "processor_ratio": round(median(cost), 3),
        "throughput_ratio": round(median(speed), 3),
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    with ExitStack() as stack:
        bare, service = stack.enter_context(echo_server()), stack.enter_context(service_server("memory"))
        keep_off_the_server()
        result = uvloop.run(measure(QUICK if flags.quick else FULL, bare, service))
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
