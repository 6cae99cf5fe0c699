"""What stands around a service while it serves: nothing is open that should not be, and every call passes the gate."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from emotional_ai_service.access.exposure import check_exposure
from emotional_ai_service.access.gate import Gate, gated
from emotional_ai_service.access.settings import AccessSettings
from emotional_ai_service.access.unlogged import metadata_unlogged


@asynccontextmanager
async def entrance(host: str, settings: AccessSettings, clock: Callable[[], int]) -> AsyncIterator[Gate | None]:
    """The gate of a service that listens on `host`; none where it asks for no tokens.

    Raises NetworkOpen for an address that other machines reach unhindered, TokensUnusable for tokens that cannot be read.
    """
    check_exposure(host, settings)
    with metadata_unlogged():
        async with gated(settings, clock) as gate:
            yield gate
