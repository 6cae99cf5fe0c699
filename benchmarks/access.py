"""What access costs: GetState with and without tokens, with and without TLS, against a service that has neither.

    python benchmarks/access.py [--quick] [--json]

The services, all in memory, take turns on one core; h2load, on another, keeps 32 calls in flight on 4 connections. `plain` is
there twice: the second tells how far two equal services differ. A ratio is that of one round, and the median of the rounds is
told, of calls per second and of the server's processor time per call (1 is no cost, 0.9 a tenth). One of the tokens is
looked up among 1,000. Before and after every burst a call of the same kind is looked at whole: h2load counts errors as answers.
"""

import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apparatus import load, outcome
from apparatus.rounds import Plan, beside, in_turns
from apparatus.servers import Server, keep_off_the_server
from apparatus.servers import service as service_server
from apparatus.tokens import token_in

from emotional_ai import AlreadyExists, Client
from emotional_ai.credentials import Credentials
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.access.tls import HOW_MADE

SESSION: Final = "bench"
METHOD: Final = "/emotional_ai.v1.EmotionEngine/GetState"
REQUEST: Final = pb.GetStateRequest(session_id=SESSION).SerializeToString()
PLAIN: Final = "plain"
TOKENS: Final = 1_000
FULL: Final = Plan(rounds=9, calls=20_000)
QUICK: Final = Plan(rounds=5, calls=4_000)


@dataclass(frozen=True, slots=True)
class Way:
    """A server, and what a call to it needs."""

    server: Server
    credentials: Credentials

    def looked_at(self) -> None:
        """Makes a call as the burst does. Raises what it ends with."""
        address, credentials = self.server.address, self.credentials
        with Client(address, credentials=credentials.of_channel(address), token=credentials.token) as client:
            try:
                client.create_session(SESSION)
            except AlreadyExists:
                client.state(SESSION)

    def burst(self, calls: int) -> load.Throughput:
        """A run of calls."""
        self.looked_at()
        token, encrypted = self.credentials.token or "", self.credentials.ca is not None
        seen = load.unary(self.server, METHOD, REQUEST, calls, token, encrypted=encrypted)
        self.looked_at()
        return seen


def measure(plan: Plan) -> outcome.Result:
    """Every server in every round, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subprocess.run(HOW_MADE.split(), cwd=folder, check=True, capture_output=True)
        token, ca = token_in(folder / "tokens.json", among=TOKENS), str(folder / "tls.crt")
        tokens = ("--tokens", str(folder / "tokens.json"))
        tls = ("--tls-cert", ca, "--tls-key", str(folder / "tls.key"))
        ways = {
            name: Way(stack.enter_context(service_server("memory", flags=flags)), credentials)
            for name, flags, credentials in (
                (PLAIN, (), Credentials()),
                ("plain again", (), Credentials()),
                ("tokens", tokens, Credentials(token)),
                ("TLS", tls, Credentials(None, ca)),
                ("tokens and TLS", (*tokens, *tls), Credentials(token, ca)),
            )
        }
        keep_off_the_server()
        for way in ways.values():
            way.burst(plan.calls // 2)
        rounds = in_turns({name: way.burst for name, way in ways.items()}, plan)
    return {
        "rounds": plan.rounds,
        "calls_a_round": plan.calls,
        "servers": [{"server": name, **beside(seen, rounds[PLAIN])} for name, seen in rounds.items()],
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
