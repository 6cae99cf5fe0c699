"""Two pinned replicas over one Redis against one of them: what a second process on a second core brings.

    python benchmarks/replicas.py [--quick] [--json]

Both replicas run all the time, each pinned to a core of its own with every one of its threads, Redis (append-only, everysec)
wherever the system puts it. In every round the same calls are made of one replica, then of both at once, by one h2load for each
replica that is asked, 32 calls in flight on 4 connections, every replica with a session of its own. `throughput` is calls a
second of both over those of one, the median of the rounds. On two cores Redis and the load generators take their time from the
replicas: `server_us` is the processor time of a call in the replicas, `others_us` what Redis and h2load took for it, and
`possible` the ratio that is left to be reached if both cores do nothing else: 2 * server / (server + others).
"""

import os
import resource
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from apparatus import load, outcome
from apparatus.redis import Redis, redis, server_at
from apparatus.servers import Server, service

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb

ENGINE: Final = "/emotional_ai.v1.EmotionEngine/"
STIMULUS: Final = pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    calls: int
    """Of each replica that is asked, in a round."""


FULL: Final = Plan(rounds=9, calls=10_000)
QUICK: Final = Plan(rounds=3, calls=3_000)


@dataclass(frozen=True, slots=True)
class Round:
    """What a number of calls took."""

    per_second: float
    server_us: float
    others_us: float


def pinned(server: Server, core: int) -> None:
    """Confines every thread of a server to a core."""
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def request(method: str, session: str) -> bytes:
    """What is sent over and over."""
    if method == "GetState":
        return pb.GetStateRequest(session_id=session).SerializeToString()
    return pb.ApplyStimuliRequest(session_id=session, stimuli=[STIMULUS]).SerializeToString()


def asked(servers: Sequence[Server], store: Redis, method: str, calls: int) -> Round:
    """Calls each of some servers, all at once."""
    before = sum(server.cpu_seconds() for server in servers), store.cpu_seconds() + _of_children()
    begun = perf_counter()
    with ThreadPoolExecutor(len(servers)) as pool:
        messages = [request(method, f"bench-{server.address}") for server in servers]
        work = zip(servers, messages, strict=True)
        list(pool.map(lambda one: load.unary(one[0], ENGINE + method, one[1], calls), work))
    seconds, total = perf_counter() - begun, calls * len(servers)
    after = sum(server.cpu_seconds() for server in servers), store.cpu_seconds() + _of_children()
    spent, others = ((late - early) / total * 1e6 for early, late in zip(before, after, strict=True))
    return Round(total / seconds, spent, others)


def _of_children() -> float:
    """Processor time of the load generators that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compared(servers: Sequence[Server], store: Redis, method: str, plan: Plan) -> outcome.Row:
    """One method, of one replica and of both."""
    rounds = [
        (asked(servers[:1], store, method, plan.calls), asked(servers, store, method, plan.calls))
        for _ in range(plan.rounds)
    ]
    server, others = (median(getattr(both, name) for _, both in rounds) for name in ("server_us", "others_us"))
    return {
        "method": method,
        "throughput": round(median(both.per_second / one.per_second for one, both in rounds), 2),
        "one_per_s": round(median(one.per_second for one, _ in rounds)),
        "both_per_s": round(median(both.per_second for _, both in rounds)),
        "one_server_us": round(median(one.server_us for one, _ in rounds)),
        "server_us": round(server),
        "others_us": round(others),
        "possible": round(2 * server / (server + others), 2),
    }


def measure(plan: Plan) -> outcome.Result:
    """Everything."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("this benchmark needs two cores: one for each replica")
    with ExitStack() as stack:
        url = stack.enter_context(redis(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        servers = [stack.enter_context(service("redis", pinned=False, flags=("--redis-url", url))) for _ in cores[:2]]
        for server, core in zip(servers, cores, strict=False):
            pinned(server, core)
            with Client(server.address) as client:
                client.create_session(f"bench-{server.address}")
        store = server_at(url)
        for server in servers:
            asked([server], store, "ApplyStimuli", 500)
        return {
            "cores": len(cores),
            "replicas": [compared(servers, store, method, plan) for method in ("ApplyStimuli", "GetState")],
        }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
