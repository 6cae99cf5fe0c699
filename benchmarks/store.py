"""Appends to each store: rate, latency, and what opening a file costs.

    python benchmarks/store.py [--quick] [--json] [--directory DIR]

Each of `concurrency` tasks appends one record of 120 bytes with a request id to a session of its own and awaits it, over and
over. The stores take turns within every round, so that a busy machine slows all of them. Latencies are those seen by the task;
CPU is that of the whole process, the writing thread included.
`directory` is where the files go: their disk is part of what is measured. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import uvloop

from emotional_ai_service.stores import Durability, MemoryStore, Record, SqliteStore, Store

CONCURRENCIES = (1, 16, 128)
STORES = ("memory", "sqlite process", "sqlite power")
PAYLOAD = bytes(120)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    appends: dict[str, int]
    """Appends of one round at concurrency 1, by store; four times as many at higher concurrencies."""
    megabytes: tuple[int, ...]
    """Sizes of the files opened."""


FULL = Plan(5, {"memory": 20_000, "sqlite process": 5_000, "sqlite power": 400}, (16, 64, 256))
QUICK = Plan(1, {"memory": 5_000, "sqlite process": 1_000, "sqlite power": 100}, (4,))


async def open_store(name: str, folder: Path) -> Store:
    """A new store of that name."""
    if name == "memory":
        return MemoryStore()
    durability = Durability.POWER if name.endswith("power") else Durability.PROCESS
    return await SqliteStore.open(folder / f"{time.monotonic_ns()}.db", durability)


async def appending(store: Store, session: str, count: int, latencies: list[float]) -> None:
    """Appends one record after the other; notes the seconds each took."""
    prepared = [((Record(version + 1, version, PAYLOAD),), os.urandom(8).hex()) for version in range(count)]
    for version, (records, request_id) in enumerate(prepared):
        begun = time.perf_counter()
        pending = store.append(session, version, records, request_id=request_id)
        if pending is not None:
            await pending
        latencies.append(time.perf_counter() - begun)


async def measure(name: str, folder: Path, concurrency: int, count: int) -> tuple[float, float, list[float]]:
    """Seconds and CPU seconds that `count` appends took together, and seconds of each."""
    latencies: list[float] = []
    store = await open_store(name, folder)
    try:
        begun, used = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(concurrency):
                tasks.create_task(appending(store, f"session {number}", count // concurrency, latencies))
        return time.perf_counter() - begun, time.process_time() - used, latencies
    finally:
        await store.close()


async def measure_open(folder: Path, megabytes: int) -> dict[str, float]:
    """Milliseconds to open a file of about that size."""
    path = folder / f"open {megabytes}.db"
    store = await SqliteStore.open(path)
    version = 0
    while path.stat().st_size < megabytes * 2**20:
        records = [Record(version + i, i, PAYLOAD) for i in range(1, 10_001)]
        await store.append("long", version, records, request_id=str(version))
        version += len(records)
    await store.close()
    size = path.stat().st_size / 2**20
    begun = time.perf_counter()
    store = await SqliteStore.open(path)
    seconds = time.perf_counter() - begun
    await store.close()
    return {"megabytes": round(size, 1), "open_ms": round(seconds * 1e3, 2)}


async def benchmark(plan: Plan, folder: Path) -> dict[str, list[dict[str, float | str]]]:
    """Every store at every concurrency, in turns."""
    rates: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    costs: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    latencies: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(plan.rounds):
        for concurrency in CONCURRENCIES:
            for name in STORES:
                count = plan.appends[name] * (1 if concurrency == 1 else 4)
                seconds, cpu, each = await measure(name, folder, concurrency, count)
                rates[name, concurrency].append(len(each) / seconds)
                costs[name, concurrency].append(cpu / len(each))
                latencies[name, concurrency] += each
    rows: list[dict[str, float | str]] = []
    for (name, concurrency), rate in rates.items():
        cuts = quantiles(latencies[name, concurrency], n=100)
        rows.append(
            {
                "store": name,
                "concurrency": concurrency,
                "appends_per_s": round(median(rate)),
                "us_per_append": round(1e6 / median(rate), 2),
                "cpu_us": round(median(costs[name, concurrency]) * 1e6, 2),
                "p50_us": round(cuts[49] * 1e6, 1),
                "p99_us": round(cuts[98] * 1e6, 1),
            }
        )
    return {"appends": rows, "open": [dict(await measure_open(folder, size)) for size in plan.megabytes]}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of a minute; less exact")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    parser.add_argument("--directory", type=Path, help="where the files go; the system's temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        result = uvloop.run(benchmark(QUICK if arguments.quick else FULL, Path(folder)))
    if not arguments.json:
        for rows in result.values():
            print("  ".join(f"{name:>14}" for name in rows[0]))
            for row in rows:
                print("  ".join(f"{value:>14}" for value in row.values()))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
