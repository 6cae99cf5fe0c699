"""Two replicas over one Redis: how soon does one tell what the other acknowledged, and what does asking cost?

    python benchmarks/across.py [--quick] [--json]

One client writes at one replica, one call after another; another watches at the other. `seen` is the time from the
acknowledgement to the watcher, in milliseconds, of the changes that were not folded into a later state. Beside it stand the
times of the calls themselves, those of a service on SQLite, and the pace of one stream of batches. Both replicas and Redis
share the machine with the clients.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import grpc
from apparatus import outcome
from apparatus.redis import redis
from apparatus.servers import service

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

SESSION: Final = "bench"
EVENT: Final = pb.Stimulus(event=pb.Signals(reward=0.01))
BATCH: Final = 8
PAUSE: Final = 0.002
"""Seconds between two writes that a watcher is to see one by one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    calls: int
    batches: int


FULL: Final = Plan(calls=2_000, batches=4_000)
QUICK: Final = Plan(calls=300, batches=600)
Stub = engine_pb2_grpc.EmotionEngineStub


def write(engine: Stub) -> int:
    """One stimulus; returns the version after it."""
    request = pb.ApplyStimuliRequest(session_id=SESSION, stimuli=[EVENT])
    return engine.ApplyStimuli(request).state.version


def look(engine: Stub) -> None:
    """One reading."""
    engine.GetState(pb.GetStateRequest(session_id=SESSION))


def timed(calls: int, call: Callable[[], object], before: Callable[[], object] = lambda: None) -> list[float]:
    """Milliseconds of each call; `before` is not counted."""
    seen = []
    for _ in range(calls):
        before()
        begun = time.perf_counter()
        call()
        seen.append((time.perf_counter() - begun) * 1e3)
    return seen


def seen_elsewhere(one: Stub, other: Stub, calls: int) -> list[float]:
    """Milliseconds from the acknowledgement of a write at `one` to a watcher at `other`."""
    told: dict[int, float] = {}
    last = one.GetState(pb.GetStateRequest(session_id=SESSION)).state.version + calls
    begun = threading.Event()

    def watch() -> None:
        for response in other.WatchState(pb.WatchStateRequest(session_id=SESSION)):
            told[response.state.version] = time.perf_counter()
            begun.set()
            if response.state.version >= last:
                return

    watching = threading.Thread(target=watch)
    watching.start()
    begun.wait()
    acknowledged = {}
    for _ in range(calls):
        version = write(one)
        acknowledged[version] = time.perf_counter()
        time.sleep(PAUSE)
    watching.join()
    return [max(0.0, told[version] - at) * 1e3 for version, at in acknowledged.items() if version in told]


def batches_per_second(engine: Stub, batches: int) -> float:
    """Pace of a stream that sends as fast as it can."""
    opening = pb.StreamStateRequest(open=pb.StreamOpen(session_id=SESSION, credit=64))
    sent = (
        pb.StreamStateRequest(batch=pb.StimulusBatch(number=number, stimuli=[EVENT] * BATCH))
        for number in range(1, batches + 1)
    )
    acks = threading.Semaphore(0)
    answered: list[int] = []

    def requests() -> Iterator[pb.StreamStateRequest]:
        yield opening
        yield from sent
        while acks.acquire():
            yield pb.StreamStateRequest(ack=pb.StreamAck(sequence=answered[-1]))

    begun = time.perf_counter()
    call = engine.StreamState(requests())
    for response in call:
        answered.append(response.sequence)
        acks.release()
        if response.acknowledged_batch == batches:
            break
    call.cancel()  # type: ignore[no-untyped-call]
    return batches / (time.perf_counter() - begun)


def _row(name: str, seen: list[float]) -> outcome.Row:
    return {
        "what": name,
        "count": len(seen),
        "p50_ms": round(median(seen), 3),
        "p99_ms": round(quantiles(seen, n=100)[98], 3),
        "greatest_ms": round(max(seen), 3),
    }


def measure(plan: Plan) -> outcome.Result:
    """Everything, one after another."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(redis(folder))
        servers = [stack.enter_context(service("redis", pinned=False, flags=("--redis-url", url))) for _ in range(2)]
        servers.append(stack.enter_context(service("sqlite", folder / "bench.db", pinned=False)))
        channels = [stack.enter_context(grpc.insecure_channel(server.address)) for server in servers]
        one, other, sqlite = (Stub(channel) for channel in channels)
        for engine in (one, sqlite):
            engine.CreateSession(pb.CreateSessionRequest(session_id=SESSION))
        rows = [
            _row("seen at the other replica", seen_elsewhere(one, other, plan.calls)),
            _row("write", timed(plan.calls, lambda: write(one))),
            _row("write on sqlite", timed(plan.calls, lambda: write(sqlite))),
            _row("read, nothing new", timed(plan.calls, lambda: look(other))),
            _row("read, one write behind", timed(plan.calls, lambda: look(other), lambda: write(one))),
            _row("read on sqlite", timed(plan.calls, lambda: look(sqlite))),
        ]
        return {
            "calls": rows,
            "batches_of_8_per_s": round(batches_per_second(one, plan.batches)),
            "the_same_on_sqlite": round(batches_per_second(sqlite, plan.batches)),
        }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
