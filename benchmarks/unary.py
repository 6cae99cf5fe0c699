"""ApplyStimuli against a bare echo of the same bytes: how much of gRPC's own speed the service keeps.

    python benchmarks/unary.py [--quick] [--json]

The echo, the service in memory and the service on SQLite (durability `process`) take turns on one core; h2load, on another,
keeps 32 calls in flight on 4 connections. A ratio is that of one round, and the median of the rounds is told: `throughput` in
calls per second, `processor` in processor time of the server per call, which other work on the machine disturbs less.
The version of the session tells that every call was applied.
"""

import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import grpc
from apparatus import echo, load, outcome
from apparatus.servers import Server, keep_off_the_server
from apparatus.servers import echo as echo_server
from apparatus.servers import service as service_server

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

SESSION: Final = "bench"
METHOD: Final = "/emotional_ai.v1.EmotionEngine/ApplyStimuli"
REQUEST: Final = pb.ApplyStimuliRequest(
    session_id=SESSION, stimuli=[pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))]
).SerializeToString()
BARE: Final = "echo"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    calls: int
    """Calls to each server in a round."""


FULL: Final = Plan(rounds=9, calls=20_000)
QUICK: Final = Plan(rounds=5, calls=4_000)


def version(server: Server) -> int:
    """Version of the session, made at the first call."""
    with grpc.insecure_channel(server.address) as channel:
        engine = engine_pb2_grpc.EmotionEngineStub(channel)
        try:
            return engine.GetState(pb.GetStateRequest(session_id=SESSION)).state.version
        except grpc.RpcError:
            created = engine.CreateSession(pb.CreateSessionRequest(session_id=SESSION))
            return created.session.state.version


def burst(server: Server, method: str, calls: int) -> load.Throughput:
    """A run of calls. Raises RuntimeError where the service did not apply each of them exactly once."""
    if method == echo.UNARY:
        return load.unary(server, method, REQUEST, calls)
    before = version(server)
    seen = load.unary(server, method, REQUEST, calls)
    applied = version(server) - before
    if applied != calls:
        raise RuntimeError(f"{calls} calls were answered, {applied} stimuli applied")
    return seen


def measure(plan: Plan) -> outcome.Result:
    """Every server in every round, in turns."""
    rounds: defaultdict[str, list[load.Throughput]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            BARE: (stack.enter_context(echo_server()), echo.UNARY),
            "memory": (stack.enter_context(service_server("memory")), METHOD),
            "sqlite": (stack.enter_context(service_server("sqlite", folder / "bench.db")), METHOD),
        }
        keep_off_the_server()
        for server, method in servers.values():
            burst(server, method, plan.calls // 2)
        for _ in range(plan.rounds):
            for name, (server, method) in servers.items():
                rounds[name].append(burst(server, method, plan.calls))
    return {
        "rounds": plan.rounds,
        "calls_a_round": plan.calls,
        "servers": [_row(name, seen, rounds[BARE]) for name, seen in rounds.items()],
    }


def _row(name: str, seen: list[load.Throughput], bare: list[load.Throughput]) -> outcome.Row:
    pairs = list(zip(seen, bare, strict=True))
    return {
        "server": name,
        "calls_per_s": round(median(one.per_second for one in seen)),
        "server_us_per_call": round(median(one.server_us_per_call for one in seen), 1),
        "throughput_ratio": round(median(one.per_second / other.per_second for one, other in pairs), 3),
        "processor_ratio": round(median(other.server_us_per_call / one.server_us_per_call for one, other in pairs), 3),
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
