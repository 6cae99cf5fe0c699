"""What authentication, TLS, metrics and Redis each cost: ratios to a service that has none of them.

    python benchmarks/costs.py [--quick] [--json]

The services take turns within every round, all on one core; four h2load on the other core ask four sessions of each, 32 calls
in flight for each session. `plain` keeps its sessions in memory, and is there twice: the second tells how far two equal
services differ. A ratio is that of one round, and the median of the rounds is told: of calls per second, and of the processor
time of a call in the service, the inverse of it, so that in both 1 is no cost and 0.5 is half. Redis syncs every second; its
own processor time of a call is told beside. It has the core of the generators, which tells in calls per second. One of the
tokens is looked up among 1,000. The versions of the sessions tell that every update was applied, once.
"""

import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from apparatus import load, outcome
from apparatus.redis import Redis, redis, server_at
from apparatus.rounds import Plan, beside, in_turns
from apparatus.servers import Server, keep_off_the_server
from apparatus.servers import service as service_server
from apparatus.tokens import token_in

from emotional_ai import AlreadyExists, Client
from emotional_ai.credentials import Credentials
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.access.tls import HOW_MADE

ENGINE: Final = "/emotional_ai.v1.EmotionEngine/"
SESSIONS: Final = ("bench-0", "bench-1", "bench-2", "bench-3")
STIMULUS: Final = pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))
PLAIN: Final = "plain"
NOTHING: Final = Credentials()
FULL: Final = Plan(rounds=5, calls=8_000)
QUICK: Final = Plan(rounds=3, calls=2_000)


@dataclass(frozen=True, slots=True)
class Seen:
    """A burst of calls."""

    per_second: float
    server_us_per_call: float
    redis_us: float


@dataclass(frozen=True, slots=True)
class Way:
    """A server, what a call to it needs, and the Redis it keeps sessions in."""

    server: Server
    credentials: Credentials = NOTHING
    store: Redis | None = None

    def begin(self) -> None:
        """Makes the sessions."""
        with self._client() as client:
            for session in SESSIONS:
                try:
                    client.create_session(session)
                except AlreadyExists:
                    continue

    def versions(self) -> int:
        """Sum of the versions of all sessions."""
        with self._client() as client:
            return sum(client.state(session).version for session in SESSIONS)

    def burst(self, method: str, calls: int) -> Seen:
        """Calls of one method, shared by the sessions. Raises SystemExit where an update was lost, or applied twice."""
        before, each = self.versions(), calls // len(SESSIONS)
        token, encrypted = self.credentials.token or "", self.credentials.ca is not None

        def one(session: str) -> None:
            load.unary(self.server, ENGINE + method, request(method, session), each, token, encrypted=encrypted)

        begun, server, store = time.perf_counter(), self.server.cpu_seconds(), self._store_seconds()
        with ThreadPoolExecutor(len(SESSIONS)) as pool:
            list(pool.map(one, SESSIONS))
        passed, made = time.perf_counter() - begun, each * len(SESSIONS)
        spent, stored = self.server.cpu_seconds() - server, self._store_seconds() - store
        applied = self.versions() - before
        if applied != (made if method == "ApplyStimuli" else 0):
            raise SystemExit(f"{made} calls of {method} were answered, and {applied} stimuli applied")
        return Seen(made / passed, spent / made * 1e6, stored / made * 1e6)

    def _store_seconds(self) -> float:
        return self.store.cpu_seconds() if self.store else 0.0

    def _client(self) -> Client:
        address, credentials = self.server.address, self.credentials
        return Client(address, credentials=credentials.of_channel(address), token=credentials.token)


def request(method: str, session: str) -> bytes:
    """The message of a call."""
    if method == "GetState":
        return pb.GetStateRequest(session_id=session).SerializeToString()
    return pb.ApplyStimuliRequest(session_id=session, stimuli=[STIMULUS]).SerializeToString()


def ways(folder: Path, stack: ExitStack) -> dict[str, Way]:
    """Every service to be measured."""
    subprocess.run(HOW_MADE.split(), cwd=folder, check=True, capture_output=True)
    token, ca = token_in(folder / "tokens.json", among=1_000), str(folder / "tls.crt")
    tokens = ("--tokens", str(folder / "tokens.json"))
    tls = ("--tls-cert", ca, "--tls-key", str(folder / "tls.key"))
    metrics = ("--metrics", "127.0.0.1:0")

    def in_memory(*flags: str) -> Server:
        return stack.enter_context(service_server("memory", flags=flags))

    def in_redis(name: str, *flags: str) -> tuple[Server, Redis]:
        url = stack.enter_context(redis(folder / name))
        return stack.enter_context(service_server("redis", flags=("--redis-url", url, *flags))), server_at(url)

    (folder / "one").mkdir()
    (folder / "other").mkdir()
    shared, store = in_redis("one")
    everything, other_store = in_redis("other", *tokens, *tls, *metrics)
    return {
        PLAIN: Way(in_memory()),
        "plain again": Way(in_memory()),
        "tokens": Way(in_memory(*tokens), Credentials(token)),
        "TLS": Way(in_memory(*tls), Credentials(None, ca)),
        "metrics": Way(in_memory(*metrics)),
        "SQLite": Way(stack.enter_context(service_server("sqlite", folder / "bench.db"))),
        "Redis": Way(shared, store=store),
        "tokens, TLS, metrics, Redis": Way(everything, Credentials(token, ca), other_store),
    }


def measure(plan: Plan) -> outcome.Result:
    """Every service in every round, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        measured = ways(folder, stack)
        keep_off_the_server()
        for way in measured.values():
            way.begin()
            way.burst("ApplyStimuli", plan.calls // 2)
        bursts = {
            (name, method): partial(way.burst, method)
            for name, way in measured.items()
            for method in ("GetState", "ApplyStimuli")
        }
        rounds = in_turns(bursts, plan)
    return {
        "rounds": plan.rounds,
        "calls_a_round": plan.calls,
        "services": [_row(name, method, seen, rounds[PLAIN, method]) for (name, method), seen in rounds.items()],
    }


def _row(name: str, method: str, seen: list[Seen], plain: list[Seen]) -> outcome.Row:
    stored = round(median(one.redis_us for one in seen), 1)
    return {"service": name, "method": method, **beside(seen, plain), "redis_us_per_call": stored}


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
