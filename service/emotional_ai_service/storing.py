"""The store of one server, made of its settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from emotional_ai_service.settings import Settings, StoreKind, StoreSettings
from emotional_ai_service.stores import MemoryStore, SqliteStore, Store, TransientStore


async def open_store(settings: StoreSettings) -> Store:
    """The store the settings name. Raises StoreUnusable, naming the file or server, where it cannot serve."""
    match settings.kind:
        case StoreKind.MEMORY:
            return MemoryStore()
        case StoreKind.SQLITE:
            return await SqliteStore.open(settings.path, settings.durability)
        case StoreKind.REDIS:
            from emotional_ai_service.stores.redis import RedisStore  # of an extra

            return await RedisStore.open(settings.redis, volatile=settings.redis_volatile)


@asynccontextmanager
async def storing(settings: Settings, observed: Callable[[Store], Store]) -> AsyncIterator[Store]:
    """The store, `observed` as a whole, with room in memory for sessions that are to be kept nowhere else; closed at the end.

    Raises StoreUnusable.
    """
    store = TransientStore(observed(await open_store(settings.store)), settings.privacy.transient_sessions)
    try:
        yield store
    finally:
        await store.close()
