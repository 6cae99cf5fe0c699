"""ApplyStimuli while the language model speaks to one session and to sixteen, against ApplyStimuli while it is silent.

    python benchmarks/interference.py [--quick] [--json]

One caller applies one stimulus after the other; stretches with and without replies being generated take turns. Neither the
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
SPEAKERS: Final = (1, 16)
"""Sessions spoken to at once."""
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
def speaking(client: Client, sessions: int) -> Iterator[None]:
    """Has the model speak to so many sessions, reply after reply, until the end of the block; begins when all have a piece."""
    begun, enough = threading.Semaphore(0), threading.Event()
    failures: list[Exception] = []

    def speak(session: str) -> None:
        try:
            while not enough.is_set():
                with client.generate(PROMPT, under=session, sampling=Sampling(max_tokens=256)) as reply:
                    for count, _ in enumerate(reply.pieces()):
                        if count == 0:
                            begun.release()
                        if enough.is_set():
                            return
        except Exception as error:
            failures.append(error)
            begun.release()

    threads = [threading.Thread(target=speak, args=(f"{SESSION}-{number}",)) for number in range(sessions)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            begun.acquire(timeout=120)
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def measure(plan: Plan, client: Client) -> outcome.Result:
    """Stretches in turns."""
    client.create_session(SESSION)
    for number in range(max(SPEAKERS)):
        client.create_session(f"{SESSION}-{number}")
    with speaking(client, max(SPEAKERS)):
        latencies(client, plan.calls)
    silent: list[float] = []
    spoken: dict[int, list[float]] = {speakers: [] for speakers in SPEAKERS}
    ratios: dict[int, list[float]] = {speakers: [] for speakers in SPEAKERS}
    for _ in range(plan.rounds):
        quiet = latencies(client, plan.calls)
        silent += quiet
        for speakers in SPEAKERS:
            with speaking(client, speakers):
                busy = latencies(client, plan.calls)
            ratios[speakers].append(median(busy) / median(quiet))
            spoken[speakers] += busy
    return {
        "rounds": plan.rounds,
        "silent": _row(silent),
        "speaking": [
            {"sessions": one, "p50_ratio": round(median(ratios[one]), 3), **_row(spoken[one])} for one in SPEAKERS
        ],
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
