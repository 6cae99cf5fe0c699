"""What one session, one update and one reading cost a replica on Redis: the figures that `capacity.py` computes with.

    python benchmarks/unit_costs.py [--quick] [--json] [--write]

One replica on one core, a Redis server (append-only, everysec) and h2load on the other. Memory is the growth of the replica's
resident memory, and of Redis's `used_memory`, over sessions made and updates applied; processor time is that of each process.
Updates are single stimuli with a request id each, to many sessions, as many users send them. `--write` keeps the figures in
specs/capacity/unit_costs.json, from which the page is computed.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from apparatus import load, outcome
from apparatus.redis import Redis, redis, server_at
from apparatus.servers import Server, keep_off_the_server, service

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.settings import Settings

KEPT: Final = Path(__file__).resolve().parents[1] / "specs" / "capacity" / "unit_costs.json"
ENGINE: Final = "/emotional_ai.v1.EmotionEngine/"
SENDERS: Final = 8
LOG: Final = 250
"""Entries behind the last snapshot: half of those between two."""
KEPT_IN_MEMORY: Final = Settings().live_sessions


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    sessions: int
    """At most as many as a replica keeps in memory."""
    deep: int
    """Sessions that are updated, so often that what is allocated ahead for a small session counts no more."""
    updates: int
    """Of each of those, one by one."""
    cold: int
    """Sessions read that are not in memory."""
    calls: int
    """Calls of h2load in a round."""
    rounds: int


FULL: Final = Plan(sessions=3_600, deep=64, updates=600, cold=150, calls=8_000, rounds=5)
QUICK: Final = Plan(sessions=1_000, deep=16, updates=200, cold=40, calls=2_000, rounds=3)


def for_each(sessions: int, act: Callable[[str], object]) -> None:
    """Calls `act` with the name of every session, several at a time."""
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(act, (f"unit-{number:06}" for number in range(sessions))))


def memory(server: Server, store: Redis, plan: Plan) -> outcome.Row:
    """Bytes of a session that was just made, and of an update, in the replica and in Redis."""
    with Client(server.address) as client:
        for number in range(200):  # What is loaded and allocated once is not a session's.
            client.create_session(f"warm-{number}")
            client.apply(f"warm-{number}", reward=0.1)
        begun = server.resident_bytes(), store.memory()
        for_each(plan.sessions, client.create_session)
        made = server.resident_bytes(), store.memory()

        def update(session: str) -> None:
            for _ in range(plan.updates):
                client.apply(session, reward=0.1, social_warmth=0.05)

        for_each(plan.deep, update)
        updated = server.resident_bytes(), store.memory()
    updates = plan.deep * plan.updates
    return {
        "process_bytes": begun[0],
        "session_bytes": round((made[0] - begun[0]) / plan.sessions),
        "update_bytes": round((updated[0] - made[0]) / updates),
        "redis_session_bytes": round((made[1] - begun[1]) / plan.sessions),
        "redis_update_bytes": round((updated[1] - made[1]) / updates),
    }


def times(server: Server, store: Redis, plan: Plan) -> outcome.Row:
    """Microseconds of processor time of each process, commands and bytes of Redis, for one update and one reading."""
    session = "unit-000000"
    stimulus = pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))
    messages = {
        "update": ("ApplyStimuli", pb.ApplyStimuliRequest(session_id=session, stimuli=[stimulus])),
        "read": ("GetState", pb.GetStateRequest(session_id=session)),
    }
    row: dict[str, float] = {}
    for name, (method, message) in messages.items():
        rounds: list[tuple[float, ...]] = []
        for _ in range(plan.rounds):
            before = store.cpu_seconds(), *_traffic(store)
            seen = load.unary(server, ENGINE + method, message.SerializeToString(), plan.calls)
            after = store.cpu_seconds(), *_traffic(store)
            spent = [(late - early) / plan.calls for early, late in zip(before, after, strict=True)]
            rounds.append((seen.server_us_per_call, spent[0] * 1e6, *spent[1:]))
        server_us, redis_us, commands, bytes_ = (median(column) for column in zip(*rounds, strict=True))
        row |= {
            f"{name}_us": round(server_us),
            f"{name}_redis_us": round(redis_us, 1),
            f"{name}_redis_commands": round(commands, 1),
            f"{name}_redis_bytes": round(bytes_),
        }
    with Client(server.address) as client:
        state = client.state(session).ByteSize()
    # 9 bytes of an HTTP/2 frame, 5 of gRPC, and headers and trailers that HPACK has seen before.
    row["update_wire_bytes"] = messages["update"][1].ByteSize() + 36 + state + 2 * (9 + 5) + 60
    row["read_wire_bytes"] = messages["read"][1].ByteSize() + state + 2 * (9 + 5) + 60
    return row


def cold(server: Server, store: Redis, plan: Plan) -> outcome.Row:
    """Microseconds of a reading of a session that is not in the replica's memory, with a log of LOG entries to read."""
    with Client(server.address) as client:

        def live(session: str) -> None:
            client.create_session(f"cold-{session}")
            for _ in range(LOG):
                client.apply(f"cold-{session}", reward=0.01)

        for_each(plan.cold, live)
        # As many others as the replica keeps, so that it has let go of those.
        for_each(KEPT_IN_MEMORY, lambda session: client.create_session(f"other-{session}"))
        before = server.cpu_seconds(), store.cpu_seconds()
        for_each(plan.cold, lambda session: client.state(f"cold-{session}"))
        after = server.cpu_seconds(), store.cpu_seconds()
    server_us, redis_us = ((late - early) / plan.cold * 1e6 for early, late in zip(before, after, strict=True))
    return {"cold_us": round(server_us), "cold_redis_us": round(redis_us, 1)}


def _traffic(store: Redis) -> tuple[int, int]:
    bytes_ = sum(store.asked("stats", f"total_net_{way}_bytes") for way in ("input", "output"))
    return store.asked("stats", "total_commands_processed"), bytes_


def measure(plan: Plan) -> outcome.Row:
    """Everything."""
    keep_off_the_server()
    with ExitStack() as stack:
        url = stack.enter_context(redis(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        server = stack.enter_context(service("redis", flags=("--redis-url", url)))
        store = server_at(url)
        return {**memory(server, store, plan), **times(server, store, plan), **cold(server, store, plan)}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; less exact")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {KEPT.name}")
    flags = parser.parse_args()
    units = measure(QUICK if flags.quick else FULL)
    if flags.write:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        kept["measured"] = units
        kept["of"] = {"command": "python benchmarks/unit_costs.py --write", "commit": commit.stdout.strip()}
        KEPT.write_text(json.dumps(kept, indent=2) + "\n")
    outcome.show({"units": units}, only_json=flags.json)


if __name__ == "__main__":
    main()
