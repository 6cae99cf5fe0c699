"""What a loss of power takes of what Redis acknowledged, by how it syncs: measured on a disk that forgets what was not synced.

    python benchmarks/power.py [--quick] [--json]

Six writers append through the store, one append after the other each, until the power goes; then Redis is started on what the
disk holds. `lost` counts appends that were acknowledged and are not there, which must be the ends of their logs; `window_ms` is
how long before the loss the oldest of them was acknowledged. Needs root, which may mount the disk.
"""

import asyncio
import contextlib
import logging
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from apparatus import outcome
from apparatus.frail_disk import Unmountable, frail_disk
from apparatus.redis import redis, server_at

from emotional_ai_service.stores import Record, RedisAddress, StoreUnavailable
from emotional_ai_service.stores.redis import RedisStore
from emotional_ai_service.stores.redis_lane import Patience

WRITERS: Final = 6
SHORT: Final = Patience(answer=0.2, whole=0.6, down=0.1)
WAYS: Final = ("always", "everysec")


@dataclass(frozen=True, slots=True)
class Loss:
    """What one loss of power took."""

    acknowledged: int
    lost: int
    window: float
    """Seconds."""


async def write(store: RedisStore, session: str) -> list[float]:
    """Appends until Redis is gone; when each append was acknowledged, on the clock of time.monotonic."""
    acknowledged: list[float] = []
    with contextlib.suppress(StoreUnavailable):
        while True:
            number = len(acknowledged) + 1
            await store.append(session, number - 1, [Record(number, number, bytes(100))], request_id=f"r{number}")
            acknowledged.append(time.monotonic())
    return acknowledged


async def there(store: RedisStore, session: str) -> int:
    """How many appends of a session are there. Raises SystemExit where one is missing before another."""
    found = [record.sequence for record in await store.read(session)]
    if found != list(range(1, len(found) + 1)):
        raise SystemExit(f"{session} lacks something before its end")
    return len(found)


async def lose_power(folder: Path, fsync: str, seconds: float) -> Loss:
    """Writes for so long, and loses the power."""
    with frail_disk(folder / "frail") as disk, redis(disk.path, fsync=fsync) as url:
        store = await RedisStore.open(RedisAddress.parse(url), patience=SHORT)
        writing = asyncio.gather(*(write(store, f"s{number}") for number in range(WRITERS)))
        await asyncio.sleep(seconds)
        over = time.monotonic()
        with disk.lose_power(server_at(url).pid, folder / "copy", folder / "again") as found:
            logs = await writing
            await store.close()
            with redis(found, fsync=fsync) as again:
                store = await RedisStore.open(RedisAddress.parse(again))
                kept = [await there(store, f"s{number}") for number in range(WRITERS)]
                await store.close()
    missing = [log[count:] for log, count in zip(logs, kept, strict=True)]
    oldest = min((times[0] for times in missing if times), default=over)
    return Loss(sum(map(len, logs)), sum(map(len, missing)), over - oldest)


def _row(fsync: str, losses: Sequence[Loss]) -> outcome.Row:
    return {
        "appendfsync": fsync,
        "losses_of_power": len(losses),
        "acknowledged": sum(one.acknowledged for one in losses),
        "lost": sum(one.lost for one in losses),
        "window_ms_median": round(median(one.window for one in losses) * 1e3),
        "window_ms_greatest": round(max(one.window for one in losses) * 1e3),
    }


def measure(losses: int) -> outcome.Result:
    """So many losses of power for each way of syncing."""
    draw, seen = random.Random(1), []
    for fsync in WAYS:
        of_one = []
        for _ in range(losses):
            with tempfile.TemporaryDirectory() as folder:
                of_one.append(asyncio.run(lose_power(Path(folder) / "one", fsync, 2 + draw.random())))
        seen.append(_row(fsync, of_one))
    return {"writers": WRITERS, "syncing": seen}


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    logging.disable(logging.WARNING)  # That Redis is gone is what is asked for.
    try:
        result = measure(2 if flags.quick else 12)
    except Unmountable as error:
        result = {"not_measured": str(error)}
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
