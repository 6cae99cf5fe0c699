"""Appends to each store: rate, latency, and what opening a file costs.

    python benchmarks/store.py [--quick] [--json] [--directory DIR]

Each of `concurrency` tasks appends one record of 120 bytes with a request id to a session of its own and awaits it, over and
over. The stores take turns within every round, so that a busy machine slows all of them. Latencies are those seen by the task;
CPU is that of the whole process, the writing thread included; beside it stands that of the Redis server, which is started here.
Redis is left out where there is no redis-server.
`directory` is where the files go: their disk is part of what is measured. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import uvloop
from apparatus.redis import Redis, redis, server_at

from emotional_ai_service.stores import (
    Durability,
    MemoryStore,
    Record,
    RedisAddress,
    SqliteStore,
    Store,
)
from emotional_ai_service.stores.redis import RedisStore

CONCURRENCIES = (1, 16, 128)
STORES = ("memory", "sqlite process", "sqlite power", "redis everysec", "redis always")
PAYLOAD = bytes(120)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    appends: dict[str, int]
    """Appends of one round at concurrency 1, by store; four times as many at higher concurrencies."""
    megabytes: tuple[int, ...]
    """Sizes of the files opened."""


FULL = Plan(
    5,
    {"memory": 20_000, "sqlite process": 5_000, "sqlite power": 400, "redis everysec": 5_000, "redis always": 400},
    (16, 64, 256),
)
QUICK = Plan(
    1,
    {"memory": 5_000, "sqlite process": 1_000, "sqlite power": 100, "redis everysec": 1_000, "redis always": 100},
    (4,),
)


@dataclass(frozen=True, slots=True)
class Server:
    """A Redis server of this benchmark's own."""

    address: RedisAddress
    process: Redis


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, Server]]:
    """A server for each store in Redis; none where there is no redis-server."""
    with ExitStack() as stack:
        running = {}
        for name in STORES if shutil.which("redis-server") else ():
            if name.startswith("redis"):
                (folder / name).mkdir()
                url = stack.enter_context(redis(folder / name, fsync=name.split()[1]))
                running[name] = Server(RedisAddress.parse(url), server_at(url))
        yield running


async def open_store(name: str, folder: Path, running: dict[str, Server]) -> Store:
    """A new store of that name."""
    if name == "memory":
        return MemoryStore()
    if name in running:
        return await RedisStore.open(running[name].address)
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


@dataclass(frozen=True, slots=True)
class Measured:
    """What a number of appends took."""

    seconds: float
    cpu: float
    """CPU seconds of this process."""
    server_cpu: float
    """CPU seconds of the server of the store, if it has one; in steps of 10 ms."""
    each: list[float]
    """Seconds of each append."""


async def measure(name: str, folder: Path, concurrency: int, count: int, running: dict[str, Server]) -> Measured:
    """Appends `count` records in `concurrency` sessions."""
    latencies: list[float] = []
    store, run = await open_store(name, folder, running), os.urandom(4).hex()

    def server_cpu() -> float:
        return running[name].process.cpu_seconds() if name in running else 0.0

    try:
        begun, used, served = time.perf_counter(), time.process_time(), server_cpu()
        async with asyncio.TaskGroup() as tasks:
            for number in range(concurrency):
                tasks.create_task(appending(store, f"session {run} {number}", count // concurrency, latencies))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - used
        return Measured(seconds, cpu, server_cpu() - served, latencies)
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


async def benchmark(plan: Plan, folder: Path, running: dict[str, Server]) -> dict[str, list[dict[str, float | str]]]:
    """Every store at every concurrency, in turns."""
    measured: defaultdict[tuple[str, int], list[Measured]] = defaultdict(list)
    there = [name for name in STORES if name in running or not name.startswith("redis")]
    for _ in range(plan.rounds):
        for concurrency in CONCURRENCIES:
            for name in there:
                count = plan.appends[name] * (1 if concurrency == 1 else 4)
                measured[name, concurrency].append(await measure(name, folder, concurrency, count, running))
    rows: list[dict[str, float | str]] = []
    for (name, concurrency), runs in measured.items():
        rate = median(len(run.each) / run.seconds for run in runs)
        cuts = quantiles([seconds for run in runs for seconds in run.each], n=100)
        appends = sum(len(run.each) for run in runs)
        rows.append(
            {
                "store": name,
                "concurrency": concurrency,
                "appends_per_s": round(rate),
                "us_per_append": round(1e6 / rate, 2),
                "cpu_us": round(median(run.cpu / len(run.each) for run in runs) * 1e6, 2),
                "server_cpu_us": round(sum(run.server_cpu for run in runs) / appends * 1e6, 2),
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
    with (
        tempfile.TemporaryDirectory(dir=arguments.directory) as folder,
        servers(Path(folder)) as running,
    ):
        result = uvloop.run(benchmark(QUICK if arguments.quick else FULL, Path(folder), running))
    if not arguments.json:
        for rows in result.values():
            print("  ".join(f"{name:>14}" for name in rows[0]))
            for row in rows:
                print("  ".join(f"{value:>14}" for value in row.values()))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
