"""What tenants cost: ApplyStimuli of services with tokens, limits and an audit log, against one with none of them.

    python benchmarks/tenants.py [--quick] [--json]

The services, all in memory, take turns on one core; h2load, on another, keeps 32 calls in flight on 4 connections. `plain` is
there twice: the second tells how far two equal services differ. A ratio is that of one round, and the median of the rounds is
told, of calls per second and of the server's processor time per call (1 is no cost, 0.9 a tenth). The limits are so high that
nothing is refused; the version of the session tells that every call was applied, and the audit log that each has its line.
"""

import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import grpc
from apparatus import load, outcome
from apparatus.servers import Server, keep_off_the_server
from apparatus.servers import service as service_server

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc
from emotional_ai_service.access.records import to_text
from emotional_ai_service.access.token import Kept, Token, digest_of, new_id, written
from emotional_ai_service.callers import Scope

SESSION: Final = "bench"
METHOD: Final = "/emotional_ai.v1.EmotionEngine/ApplyStimuli"
REQUEST: Final = pb.ApplyStimuliRequest(
    session_id=SESSION, stimuli=[pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))]
).SerializeToString()
PLAIN: Final = "plain"
LIMITS: Final = """
[default]
calls_per_second = 1000000
sessions = 1000
generation_tokens_per_day = 1000000
concurrent_streams = 100
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    calls: int
    """Calls to each service in a round."""


FULL: Final = Plan(rounds=9, calls=20_000)
QUICK: Final = Plan(rounds=5, calls=3_000)


@dataclass(frozen=True, slots=True)
class Under:
    """A service under measure."""

    server: Server
    token: str = ""

    def version(self) -> int:
        """Version of the session, made at the first call."""
        metadata = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        with grpc.insecure_channel(self.server.address) as channel:
            engine = engine_pb2_grpc.EmotionEngineStub(channel)
            try:
                return engine.GetState(pb.GetStateRequest(session_id=SESSION), metadata=metadata).state.version
            except grpc.RpcError:
                asked = pb.CreateSessionRequest(session_id=SESSION)
                return engine.CreateSession(asked, metadata=metadata).session.state.version

    def burst(self, calls: int) -> load.Throughput:
        """A run of calls. Raises RuntimeError where the service did not apply each of them exactly once."""
        before = self.version()
        seen = load.unary(self.server, METHOD, REQUEST, calls, self.token)
        applied = self.version() - before
        if applied != calls:
            raise RuntimeError(f"{calls} calls were answered, {applied} stimuli applied")
        return seen


def tokens_in(path: Path) -> str:
    """Makes a file of tokens; the token of a tenant in it."""
    token = written(new_id())
    name = token.split("_")[1]
    kept = Token(name, "acme", frozenset(Scope), time.time_ns() // 1000, secrets=(Kept(digest_of(token)),))
    path.write_text(to_text([kept]))
    path.chmod(0o600)
    return token


def services(folder: Path, stack: ExitStack) -> dict[str, Under]:
    """Every service to be measured."""
    limits = folder / "limits.toml"
    limits.write_text(LIMITS)
    token = tokens_in(folder / "tokens.json")
    tenants = ("--tokens", str(folder / "tokens.json"))

    def started(name: str, flags: tuple[str, ...], token: str = "") -> Under:
        own = tuple(part.replace("NAME", name.replace(" ", "-")) for part in flags)
        return Under(stack.enter_context(service_server("memory", flags=own)), token)

    limited = ("--limits", str(limits), "--usage", str(folder / "usage-NAME.json"))
    audited = ("--audit", str(folder / "audit-NAME.log"))
    forced = (*audited, "--audit-sync", "each")
    return {
        PLAIN: started(PLAIN, ()),
        "plain again": started("plain again", ()),
        "limits": started("limits", limited),
        "audit": started("audit", audited),
        "audit, each line forced": started("forced", forced),
        "tokens": started("tokens", tenants, token),
        "tokens, limits, audit": started("all", (*tenants, *limited, *audited), token),
    }


def measure(plan: Plan) -> outcome.Result:
    """Every service in every round, in turns."""
    rounds: defaultdict[str, list[load.Throughput]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        under = services(folder, stack)
        keep_off_the_server()
        for one in under.values():
            one.burst(plan.calls // 2)
        for _ in range(plan.rounds):
            for name, one in under.items():
                rounds[name].append(one.burst(plan.calls))
    return {
        "rounds": plan.rounds,
        "calls_a_round": plan.calls,
        "services": [_row(name, seen, rounds[PLAIN]) for name, seen in rounds.items()],
    }


def _row(name: str, seen: list[load.Throughput], plain: list[load.Throughput]) -> outcome.Row:
    pairs = list(zip(seen, plain, strict=True))
    return {
        "service": name,
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
