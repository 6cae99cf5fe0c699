"""One engine for each tenant, over one store and one room: whoever asks gets the engine of whoever calls."""

from collections.abc import Callable
from functools import partial
from typing import Final, final
from weakref import WeakValueDictionary

from emotional_ai_service.callers import DEFAULT_TENANT, caller
from emotional_ai_service.engine import Engine
from emotional_ai_service.room import Room
from emotional_ai_service.stores import Store
from emotional_ai_service.tenants.population import Population
from emotional_ai_service.tenants.store import TenantStore

POPULATIONS_KEPT: Final = 4096
"""Counts beyond which those are forgotten, and made anew if need be, whose tenant has no engine."""


@final
class Engines:
    """The engines of all tenants. An engine is there as long as a call uses it or one of its sessions is in memory."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        room: Room | None = None,
        sessions: Callable[[str], float] | None = None,
    ) -> None:
        """`sessions` tells how many sessions a tenant may have, infinite where that does not matter."""
        self.store = store
        """What is underneath: sessions of all tenants, by their keys."""
        self.clock = clock
        self.room = Room() if room is None else room
        self._sessions = sessions
        self._engines: WeakValueDictionary[str, Engine] = WeakValueDictionary()
        self._populations: dict[str, Population] = {}
        self._own = self.of(DEFAULT_TENANT)

    def mine(self) -> Engine:
        """The engine of the tenant whose call is being served."""
        return self.of(caller().tenant)

    def of(self, tenant: str) -> Engine:
        """The engine of a tenant. Raises ValueError for a name that cannot be a tenant's."""
        engine = self._engines.get(tenant)
        if engine is None:
            engine = self._engines[tenant] = self._engine(tenant)
        return engine

    async def counted(self) -> None:
        """Counts the caller's sessions, if that is needed before another may begin."""
        tenant = caller().tenant
        population = self._population(tenant)
        if population is not None:
            await population.counted(self.of(tenant))

    def __len__(self) -> int:
        return len(self._engines)

    def _engine(self, tenant: str) -> Engine:
        return Engine(TenantStore(self.store, tenant, self._population(tenant)), self.clock, self.room)

    def _population(self, tenant: str) -> Population | None:
        """How many sessions a tenant has, which outlives its engine; None where that is not limited."""
        if self._sessions is None:
            return None
        population = self._populations.get(tenant)
        if population is None:
            if len(self._populations) >= POPULATIONS_KEPT:
                self._populations = {name: one for name, one in self._populations.items() if name in self._engines}
            population = Population(partial(self._sessions, tenant), shared=self.store.shared)
            self._populations[tenant] = population
        return population
