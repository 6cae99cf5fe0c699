"""Ten thousand live sessions, two hundred watchers, mixed updates: throughput, latency, memory, and whether anything is lost.

    python benchmarks/load.py [--quick] [--json]

The service, on SQLite, has one core; whoever asks it, in Python, the other. First one session is asked alone, with nobody
watching; then sessions are made until all are live, and asked at random for a bounded time: updates of one stimulus, updates of
sixteen, and readings, so many at a time, while watchers of a share of the sessions count what they are told. `session_bytes` is
resident memory of the service that a session takes once it is made and has been written to once. Beside these stand ratios of
the many to the one. At the end every session is read: its version must be what was acknowledged, and the changes a watcher was
told of must add up to it; otherwise the script fails.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Final

import grpc
from apparatus import outcome
from apparatus.servers import Server, keep_off_the_server, service

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub

EVENT: Final = pb.Stimulus(event=pb.Signals(reward=0.05, social_warmth=0.02))
CHANNELS: Final = 4
ASKING: Final = 32
"""Calls in flight."""
MIX: Final = (("update", 70), ("update of 16", 10), ("read", 20))
"""Kinds of calls, and their share in percent."""
MAKING: Final = 64
"""Sessions made at a time."""
WARM: Final = 300
"""Sessions made before memory is read: what is loaded and allocated once is not theirs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    sessions: int
    watchers: int
    seconds: float


FULL: Final = Plan(sessions=10_000, watchers=200, seconds=60)
QUICK: Final = Plan(sessions=1_500, watchers=50, seconds=5)


@dataclass(slots=True)
class Book:
    """What was asked and acknowledged."""

    versions: Counter[str] = field(default_factory=Counter)
    """The version each session must have."""
    told: Counter[str] = field(default_factory=Counter)
    """The version each watched session is known to have by what its watcher was told."""
    milliseconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind, _ in MIX})


class Crowd:
    """Whoever asks the service."""

    def __init__(self, engines: Sequence[EmotionEngineStub], book: Book) -> None:
        self._engines = engines
        self._book = book
        self._draw = random.Random(1)
        self._requests = 0

    async def make(self, names: Sequence[str]) -> None:
        """Makes sessions, and writes to each once."""
        waiting = iter(names)

        async def one_after_another() -> None:
            for name in waiting:
                await self._any().CreateSession(pb.CreateSessionRequest(session_id=name))
                self._book.versions[name] = 1
                await self.ask("update", name)

        await asyncio.gather(*(one_after_another() for _ in range(MAKING)))

    async def watch(self, name: str) -> None:
        """Counts what a watcher of a session is told, until cancelled."""
        async for response in self._any().WatchState(pb.WatchStateRequest(session_id=name)):
            expected = self._book.told[name] + response.coalesced + 1
            if self._book.told[name] and response.state.version != expected:
                raise SystemExit(f"the watcher of {name} was told of {response.state.version}, not of {expected}")
            self._book.told[name] = response.state.version

    async def ask(self, kind: str, name: str) -> None:
        """One call."""
        begun = time.perf_counter()
        if kind == "read":
            await self._any().GetState(pb.GetStateRequest(session_id=name))
        else:
            stimuli = [EVENT] * (16 if kind == "update of 16" else 1)
            self._requests += 1
            request = pb.ApplyStimuliRequest(session_id=name, stimuli=stimuli, request_id=f"r{self._requests}")
            await self._any().ApplyStimuli(request)
            self._book.versions[name] += len(stimuli)
        self._book.milliseconds[kind].append((time.perf_counter() - begun) * 1e3)

    async def work(self, names: Sequence[str], seconds: float) -> int:
        """Asks for so long; returns how many calls were answered."""
        end, calls = time.perf_counter() + seconds, 0
        kinds, shares = zip(*MIX, strict=True)
        for times in self._book.milliseconds.values():
            times.clear()

        async def asking() -> None:
            nonlocal calls
            while time.perf_counter() < end:
                (kind,) = self._draw.choices(kinds, shares)
                await self.ask(kind, self._draw.choice(names))
                calls += 1

        await asyncio.gather(*(asking() for _ in range(ASKING)))
        return calls

    async def check(self) -> None:
        """Whether every session is what was acknowledged. Raises SystemExit where one is not."""
        for name, version in self._book.versions.items():
            state = (await self._any().GetState(pb.GetStateRequest(session_id=name))).state
            if state.version != version:
                raise SystemExit(f"{name} is at version {state.version}, and {version} was acknowledged")

    def _any(self) -> EmotionEngineStub:
        return self._draw.choice(self._engines)


async def told_of_everything(book: Book, watched: Sequence[str]) -> None:
    """Until every watcher has been told of the last change."""
    async with asyncio.timeout(60):
        while any(book.told[name] != book.versions[name] for name in watched):  # noqa: ASYNC110  # of the service
            await asyncio.sleep(0.05)


def _row(book: Book, server: Server, before: float, calls: int, seconds: float) -> dict[str, float]:
    every = [one for times in book.milliseconds.values() for one in times]
    cuts = quantiles(every, n=100)
    updates = quantiles(book.milliseconds["update"], n=100)
    return {
        "calls_per_s": round(calls / seconds),
        "stimuli_per_s": round(
            (len(book.milliseconds["update"]) + 16 * len(book.milliseconds["update of 16"])) / seconds
        ),
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "update_p50_ms": round(updates[49], 2),
        "update_p99_ms": round(updates[98], 2),
        "server_us_per_call": round((server.cpu_seconds() - before) / calls * 1e6),
    }


async def measure(server: Server, plan: Plan) -> outcome.Result:
    """One session alone, then all of them."""
    book = Book()
    names = [f"s{number}" for number in range(plan.sessions)]
    watched = names[: plan.watchers]
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(grpc.aio.insecure_channel(server.address)) for _ in range(CHANNELS)]
        crowd = Crowd([EmotionEngineStub(channel) for channel in channels], book)
        await crowd.make(["alone", *(f"warm{number}" for number in range(WARM))])
        await crowd.work(["alone"], plan.seconds / 10)
        before = server.cpu_seconds()
        alone = _row(book, server, before, await crowd.work(["alone"], plan.seconds / 3), plan.seconds / 3)
        empty = server.resident_bytes()
        begun = time.perf_counter()
        await crowd.make(names)
        made, full = time.perf_counter() - begun, server.resident_bytes()
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(crowd.watch(name)) for name in watched]
            await told_of_everything(book, watched)
            before = server.cpu_seconds()
            many = _row(book, server, before, await crowd.work(names, plan.seconds), plan.seconds)
            await told_of_everything(book, watched)
            for one in watching:
                one.cancel()
        await crowd.check()
    return {
        "sessions": plan.sessions,
        "watchers": plan.watchers,
        "seconds": plan.seconds,
        "session_bytes": round((full - empty) / plan.sessions),
        "made_per_s": round(plan.sessions / made),
        "one_session_alone": alone,
        "all_of_them": many,
        "throughput_ratio": round(many["calls_per_s"] / alone["calls_per_s"], 3),
        "processor_ratio": round(alone["server_us_per_call"] / many["server_us_per_call"], 3),
        "stimuli_acknowledged": sum(book.versions.values()) - len(book.versions),
        "stimuli_lost": 0,
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    plan = QUICK if flags.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        live = ("--live-sessions", str(plan.sessions + WARM + 100))
        with service("sqlite", Path(folder) / "load.db", flags=live) as server:
            keep_off_the_server()
            result = asyncio.run(measure(server, plan))
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
