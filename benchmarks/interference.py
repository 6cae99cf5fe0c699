"""ApplyStimuli while the language model speaks, against ApplyStimuli while it is silent.

    python benchmarks/interference.py [--quick] [--json]

One caller applies one stimulus after the other; stretches with and without a reply being generated take turns. Neither the
service nor its decoder is kept to a core here: how well the system divides the cores is part of what is measured. Needs the
models (`emotional-ai models pull`).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Final

from apparatus import outcome
from apparatus.servers import service

from emotional_ai import Client, Sampling

SESSION: Final = "bench"
PROMPT: Final = "Tell me a long story about a lighthouse keeper and the sea."


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    calls: int
    """Calls of a stretch."""


FULL: Final = Plan(rounds=9, calls=500)
QUICK: Final = Plan(rounds=5, calls=100)


def latencies(client: Client, calls: int) -> list[float]:
    """Milliseconds of each call."""
    seen = []
    for _ in range(calls):
        begun = perf_counter()
        client.apply(SESSION, novelty=0.1)
        seen.append((perf_counter() - begun) * 1e3)
    return seen


@contextmanager
def speaking(client: Client) -> Iterator[None]:
    """Has the model generate, reply after reply, until the end of the block; begins with the first piece."""
    begun, enough = threading.Event(), threading.Event()
    failures: list[Exception] = []

    def speak() -> None:
        try:
            while not enough.is_set():
                with client.generate(PROMPT, under=SESSION, sampling=Sampling(max_tokens=256)) as reply:
                    for _ in reply.pieces():
                        begun.set()
                        if enough.is_set():
                            return
        except Exception as error:
            failures.append(error)
            begun.set()

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        begun.wait(120)
        yield
    finally:
        enough.set()
        thread.join()
    if failures:
        raise failures[0]


def measure(plan: Plan, client: Client) -> outcome.Result:
    """Stretches in turns."""
    client.create_session(SESSION)
    with speaking(client):
        latencies(client, plan.calls)
    silent, spoken, ratios = [], [], []
    for _ in range(plan.rounds):
        quiet = latencies(client, plan.calls)
        with speaking(client):
            busy = latencies(client, plan.calls)
        ratios.append(median(busy) / median(quiet))
        silent += quiet
        spoken += busy
    return {
        "rounds": plan.rounds,
        "p50_ratio": round(median(ratios), 3),
        "silent": _row(silent),
        "speaking": _row(spoken),
    }


def _row(seen: list[float]) -> outcome.Row:
    cuts = quantiles(seen, n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    with service("memory", pinned=False, language=True) as server, Client(server.address) as client:
        result = measure(QUICK if flags.quick else FULL, client)
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
