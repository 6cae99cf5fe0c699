"""What the MCP bridge costs whoever leaves it on: its first answer, a round trip, its memory.

    python benchmarks/mcp_bridge.py [--quick] [--json]

starts         from the start of a process until its first answer, and until its tools are listed, with no service running;
               in turns with `python -c "import mcp"`, on which it stands, and with an interpreter that does nothing.
               Files are cached by the system, processes are new.
round_trips    get_emotional_state over stdio, the service in memory on a core of its own; in turns with the same two reads by
               the SDK. Both are asked on one core, one call after the other.
memory         of the bridge once its tools are listed, and after calls, every tenth a change, with a subscription to the state.
goals          what is wanted of the medians, and of the resident memory at its highest.
"""

import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

from apparatus import outcome
from apparatus.bridge import Bridge, bridge
from apparatus.servers import keep_off_the_server, service

from emotional_ai.aio import AsyncClient

NOWHERE: Final = "127.0.0.1:1"
"""Nobody serves there."""
SESSION: Final = "default"
STATE: Final = f"emotion://sessions/{SESSION}/state"
FIRST_ANSWER_S: Final = 2.5
ROUND_TRIP_MS: Final = 5.0
MEMORY_MB: Final = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    starts: int
    rounds: int
    """Turns of the bridge and the SDK."""
    calls: int
    """Round trips of each in a turn."""
    held: int
    """Calls between the two looks at memory."""


FULL: Final = Plan(starts=5, rounds=5, calls=100, held=1000)
QUICK: Final = Plan(starts=1, rounds=2, calls=25, held=100)


def seconds(what: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def python(code: str) -> None:
    """Runs code in a process of its own."""
    subprocess.run([sys.executable, "-c", code], check=True)


def start() -> tuple[float, float]:
    """Seconds until a new bridge gives its first answer, and until its tools are listed."""
    begun = time.perf_counter()
    with bridge(NOWHERE) as one:
        one.initialize()
        first = time.perf_counter() - begun
        one.initialized()
        one.ask("tools/list")
        return first, time.perf_counter() - begun


def starts(times: int) -> list[outcome.Row]:
    """Starts of each kind, in turns."""
    seen: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(times):
        seen["python -c pass"].append(seconds(lambda: python("pass")))
        seen['python -c "import mcp"'].append(seconds(lambda: python("import mcp")))
        first, listed = start()
        seen["bridge, first answer"].append(first)
        seen["bridge, tools listed"].append(listed)
    alone = seen['python -c "import mcp"']
    return [
        {
            "start": name,
            "p50_s": round(median(taken), 3),
            "times_import_mcp": round(median(one / other for one, other in zip(taken, alone, strict=True)), 2),
        }
        for name, taken in seen.items()
    ]


async def read_directly(client: AsyncClient, calls: int) -> list[float]:
    """Milliseconds of each read of a state and its expression, as the tool reads them."""
    taken = []
    for _ in range(calls):
        begun = time.perf_counter()
        session = await client.get_session(SESSION)
        await client.preview_expression(session.state.chemistry, config=session.config)
        taken.append((time.perf_counter() - begun) * 1e3)
    return taken


async def round_trips(target: str, one: Bridge, plan: Plan) -> list[outcome.Row]:
    """Round trips through the bridge and without it, in turns."""
    through: list[list[float]] = []
    without: list[list[float]] = []
    async with AsyncClient(target) as client:
        one.call("get_emotional_state")
        await read_directly(client, plan.calls // 2)
        for _ in range(plan.rounds):
            calls = [seconds(lambda: one.call("get_emotional_state")) * 1e3 for _ in range(plan.calls)]
            through.append(calls)
            without.append(await read_directly(client, plan.calls))
    return [_trips("bridge", through, without), _trips("SDK", without, without)]


def _trips(name: str, rounds: list[list[float]], bare: list[list[float]]) -> outcome.Row:
    every = [one for taken in rounds for one in taken]
    pairs = zip(rounds, bare, strict=True)
    return {
        "through": name,
        "p50_ms": round(median(every), 3),
        "p95_ms": round(quantiles(every, n=20)[18], 3),
        "times_sdk": round(median(median(taken) / median(other) for taken, other in pairs), 2),
    }


def memory(one: Bridge, calls: int) -> list[outcome.Row]:
    """Memory at once, and after calls with a subscription. Raises RuntimeError if nothing was told meanwhile."""
    before = one.memory()
    one.ask("resources/subscribe", uri=STATE)
    for number in range(calls):
        if number % 10 == 0:
            one.call("update_emotion", novelty=0.3)
        else:
            one.call("get_emotional_state")
    held = one.memory()
    _await_notice(one)
    return [_held("start", before), {**_held(f"{calls} calls", held), "notices": one.notices}]


def _await_notice(one: Bridge) -> None:
    """Sees to it that the subscription was one. Raises RuntimeError if no notice comes of it in time."""
    end = time.monotonic() + 10
    while not one.notices:
        if time.monotonic() > end:
            raise RuntimeError("the state has moved, and the subscriber was not told")
        time.sleep(0.05)
        one.ask("ping")


def _held(after: str, megabytes: dict[str, float]) -> outcome.Row:
    return {"after": after, **{name: round(value, 1) for name, value in megabytes.items()}}


def measure(plan: Plan) -> outcome.Result:
    """Everything, one after the other."""
    begun = starts(plan.starts)
    with service("memory") as server:
        keep_off_the_server()
        with bridge(server.address) as one:
            one.initialize()
            one.initialized()
            one.ask("tools/list")
            held = memory(one, plan.held)
            trips = asyncio.run(round_trips(server.address, one, plan))
    first = next(row for row in begun if row["start"] == "bridge, first answer")
    return {
        "starts": begun,
        "round_trips": trips,
        "memory": held,
        "goals": [
            _goal("first answer, s", first["p50_s"], FIRST_ANSWER_S),
            _goal("get_emotional_state over stdio, p50, ms", trips[0]["p50_ms"], ROUND_TRIP_MS),
            _goal("resident memory at its highest, MB", max(float(row["rss_mb"]) for row in held), MEMORY_MB),
        ],
    }


def _goal(what: str, measured: outcome.Value, wanted: float) -> outcome.Row:
    return {"what": what, "measured": measured, "at_most": wanted, "met": float(measured) <= wanted}


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
