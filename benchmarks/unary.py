"""ApplyStimuli against a bare echo of the same bytes: how much of gRPC's own speed the service keeps.

    python benchmarks/unary.py [--quick] [--json]

The echo, the service in memory and the service on SQLite (durability `process`) take turns on one core; h2load, on another,
keeps 32 calls in flight on 4 connections. A ratio is that of one round, and the median of the rounds is told: `throughput` in
calls per second, `processor` in processor time of the server per call, which other work on the machine disturbs less.
The version of the session tells that every call was applied.
"""

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from apparatus import echo, load, outcome, updates
from apparatus.rounds import Plan, beside, in_turns
from apparatus.servers import echo as echo_server
from apparatus.servers import keep_off_the_server
from apparatus.servers import service as service_server

BARE: Final = "echo"
FULL: Final = Plan(rounds=9, calls=20_000)
QUICK: Final = Plan(rounds=5, calls=4_000)


def measure(plan: Plan) -> outcome.Result:
    """Every server in every round, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare = stack.enter_context(echo_server())
        services = {
            "memory": stack.enter_context(service_server("memory")),
            "sqlite": stack.enter_context(service_server("sqlite", folder / "bench.db")),
        }
        keep_off_the_server()
        bursts = {BARE: partial(load.unary, bare, echo.UNARY, updates.REQUEST)}
        bursts |= {name: partial(updates.burst, server) for name, server in services.items()}
        for burst in bursts.values():
            burst(plan.calls // 2)
        rounds = in_turns(bursts, plan)
    return {
        "rounds": plan.rounds,
        "calls_a_round": plan.calls,
        "servers": [{"server": name, **beside(seen, rounds[BARE])} for name, seen in rounds.items()],
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
