"""What each tenant used today, UTC, kept in a small file so that a restart does not begin the day anew.

The file is replaced whole about once a second while something is used, and at the end: a killed service forgets at most what
was used in its last second. It is one service's own; of several replicas each counts for itself.
"""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple, final

from filelock import FileLock, Timeout

from emotional_ai_service.alongside import alongside
from emotional_ai_service.tenants.errors import UsageUnusable
from emotional_ai_training.whole_files import write_whole

DAY_US: Final = 86_400_000_000
_FORMAT: Final = 1

log = logging.getLogger(__name__)


class Daily(Enum):
    """What is counted by the day; the name of its limit."""

    GENERATION_TOKENS = "generation_tokens_per_day"
    TRAINING_JOBS = "training_jobs_per_day"


class Taken(NamedTuple):
    """Whether an amount was counted."""

    day: int
    """On which day; days since the epoch, UTC."""
    used: float
    """What had been used before on that day."""
    wait_seconds: float = 0.0
    """0 if it was counted; else the seconds until the day ends."""


@final
class Usage:
    """Counts of one day. `clock` tells wall microseconds since the epoch. Safe to share between threads."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._day = 0
        self._used: dict[str, dict[str, float]] = {}
        self._written: object = None

    def take(self, tenant: str, what: Daily, amount: float, allowed: float) -> Taken:
        """Counts an amount, unless that would be more than is allowed."""
        with self._lock:
            used = self._today().get(tenant, {}).get(what.value, 0.0)
            if used + amount > allowed:
                return Taken(self._day, used, self._seconds_left())
            self._used.setdefault(tenant, {})[what.value] = used + amount
            return Taken(self._day, used)

    def give_back(self, tenant: str, what: Daily, amount: float, day: int) -> None:
        """Uncounts what was counted on a day and not used."""
        with self._lock:
            counts = self._today().get(tenant)
            if day == self._day and counts is not None and what.value in counts:
                counts[what.value] = max(0.0, counts[what.value] - amount)

    def used(self, tenant: str, what: Daily) -> float:
        """What was used today."""
        with self._lock:
            return self._today().get(tenant, {}).get(what.value, 0.0)

    def read(self, path: Path) -> None:
        """Goes on from a file; one that is not there is an empty one. Raises UsageUnusable."""
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["format"] != _FORMAT:
                raise ValueError("it was written by another version")
            day = int(kept["day"])
            used = {
                str(tenant): {Daily(name).value: float(amount) for name, amount in counts.items()}
                for tenant, counts in kept["used"].items()
            }
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageUnusable(path, f"cannot be read: {error.strerror or error}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            problem = f"is damaged: {error}; remove it, and the day begins at 0"
            raise UsageUnusable(path, problem) from error
        with self._lock:
            self._day, self._used = day, used

    def write(self, path: Path) -> None:
        """Writes the file if anything was used since the last time. Raises OSError."""
        with self._lock:
            kept = {"format": _FORMAT, "day": self._day, "used": {one: dict(of) for one, of in self._today().items()}}
        if kept != self._written and kept["used"]:
            write_whole(path, json.dumps(kept).encode())
            self._written = kept

    def _today(self) -> dict[str, dict[str, float]]:
        # A clock that was set back does not bring a day back that is over.
        day = self._clock() // DAY_US
        if day > self._day:
            self._day = day
            self._used.clear()
        return self._used

    def _seconds_left(self) -> float:
        return ((self._day + 1) * DAY_US - self._clock()) / 1e6


@asynccontextmanager
async def kept_usage(path: Path, clock: Callable[[], int], write_seconds: float) -> AsyncIterator[Usage]:
    """What was used today, read from a file and kept in it. Raises UsageUnusable."""
    usage = Usage(clock)
    lock = FileLock(f"{path}.lock", timeout=0, mode=0o600)
    try:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        problem = "is kept by another service; name another with --usage, each service counts for itself"
        raise UsageUnusable(path, problem) from error
    except OSError as error:
        raise UsageUnusable(path, f"cannot be kept: {error.strerror or error}; name another with --usage") from error
    try:
        await asyncio.to_thread(usage.read, path)
        try:
            async with alongside(_keep(usage, path, write_seconds), "usage"):
                yield usage
        finally:
            await asyncio.to_thread(usage.write, path)
    finally:
        lock.release()


async def _keep(usage: Usage, path: Path, seconds: float) -> None:
    complaint = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(usage.write, path)
            complaint = ""
        except OSError as error:
            if str(error) != complaint:
                complaint = str(error)
                log.error("what tenants used today cannot be written to %s: %s; it is counted on", path, error)
