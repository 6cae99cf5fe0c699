"""The meters of all tenants, by the limits of one file, which is read again when it changes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, final

from emotional_ai_service.alongside import alongside
from emotional_ai_service.callers import caller
from emotional_ai_service.reread import Reread
from emotional_ai_service.settings import LimitSettings
from emotional_ai_service.tenants.errors import LimitsUnusable
from emotional_ai_service.tenants.limits import LimitTable, read_limits
from emotional_ai_service.tenants.meter import Meter
from emotional_ai_service.tenants.usage import Usage, kept_usage

METERS_KEPT: Final = 4096
"""Meters beyond which those are forgotten that say no more than a new one would."""


@final
class Meters:
    """A meter for each tenant that calls. `now` tells seconds of a clock that does not go back."""

    def __init__(self, table: LimitTable, usage: Usage, now: Callable[[], float]) -> None:
        self._table = table
        self._usage = usage
        self._now = now
        self._meters: dict[str, Meter] = {}

    def mine(self) -> Meter:
        """The meter of the tenant whose call is being served."""
        return self.of(caller().tenant)

    def of(self, tenant: str) -> Meter:
        """The meter of a tenant."""
        meter = self._meters.get(tenant)
        if meter is None:
            if len(self._meters) >= METERS_KEPT:
                self._meters = {name: one for name, one in self._meters.items() if not one.idle}
            meter = self._meters[tenant] = Meter(tenant, self._table.of(tenant), self._usage, self._now)
        return meter

    def sessions(self, tenant: str) -> float:
        """How many sessions a tenant may have."""
        return self._table.of(tenant).sessions

    def limit(self, table: LimitTable) -> None:
        """Holds everybody to other limits from now on."""
        self._table = table
        for tenant, meter in self._meters.items():
            meter.limit(table.of(tenant))


@asynccontextmanager
async def metering(settings: LimitSettings, clock: Callable[[], int]) -> AsyncIterator[Meters]:
    """Meters by a file of limits; once it is damaged that is logged, and the last good ones stay.

    `clock` tells wall microseconds since the epoch. Raises LimitsUnusable, or UsageUnusable.
    """
    tables = Reread((settings.path,), partial(read_limits, settings.path), LimitsUnusable)
    table = await asyncio.to_thread(tables.read)
    async with kept_usage(settings.usage, clock, settings.reread_seconds) as usage:
        meters = Meters(table, usage, asyncio.get_running_loop().time)
        async with alongside(_watch(meters, tables, settings.reread_seconds), "limits"):
            yield meters


async def _watch(meters: Meters, tables: Reread[LimitTable], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        table = await asyncio.to_thread(tables.changed)
        if table is not None:
            meters.limit(table)
