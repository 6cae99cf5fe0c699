"""What tenants cost: ApplyStimuli of services with tokens, limits and an audit log, against one with none of them.

    python benchmarks/tenants.py [--quick] [--json]

The services, all in memory, take turns on one core; h2load, on another, keeps 32 calls in flight on 4 connections. `plain` is
there twice: the second tells how far two equal services differ. A ratio is that of one round, and the median of the rounds is
told, of calls per second and of the server's processor time per call (1 is no cost, 0.9 a tenth). The limits are so high that
nothing is refused; the version of the session tells that every call was applied.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from apparatus import load, outcome, updates
from apparatus.rounds import Plan, beside, in_turns
from apparatus.servers import keep_off_the_server
from apparatus.servers import service as service_server
from apparatus.tokens import token_in

Burst: TypeAlias = Callable[[int], load.Throughput]
PLAIN: Final = "plain"
LIMITS: Final = """
[default]
calls_per_second = 1000000
sessions = 1000
generation_tokens_per_day = 1000000
concurrent_streams = 100
"""
FULL: Final = Plan(rounds=9, calls=20_000)
QUICK: Final = Plan(rounds=5, calls=3_000)


def services(folder: Path, stack: ExitStack) -> dict[str, Burst]:
    """Every service to be measured."""
    limits = folder / "limits.toml"
    limits.write_text(LIMITS)
    token = token_in(folder / "tokens.json", "acme")
    tenants = ("--tokens", str(folder / "tokens.json"))

    def started(name: str, flags: tuple[str, ...], token: str = "") -> Burst:
        own = tuple(part.replace("NAME", name.replace(" ", "-")) for part in flags)
        return partial(updates.burst, stack.enter_context(service_server("memory", flags=own)), token=token)

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
    with ExitStack() as stack:
        bursts = services(Path(stack.enter_context(tempfile.TemporaryDirectory())), stack)
        keep_off_the_server()
        for burst in bursts.values():
            burst(plan.calls // 2)
        rounds = in_turns(bursts, plan)
    return {
        "rounds": plan.rounds,
        "calls_a_round": plan.calls,
        "services": [{"service": name, **beside(seen, rounds[PLAIN])} for name, seen in rounds.items()],
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
