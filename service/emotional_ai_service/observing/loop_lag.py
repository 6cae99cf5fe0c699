"""How late the event loop is: the first thing to rise when something blocks it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from emotional_ai_service.alongside import alongside
from emotional_ai_service.observing.histogram import Histogram

EVERY_SECONDS: Final = 0.25
"""Time between two looks."""


@asynccontextmanager
async def loop_lag(into: Histogram, every: float = EVERY_SECONDS) -> AsyncIterator[None]:
    """Counts how much later than asked for the loop came back, in seconds, as long as the context lasts."""
    async with alongside(_measure(into, every), "loop lag"):
        yield


async def _measure(into: Histogram, every: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every
        await asyncio.sleep(every)
        into.observe(max(loop.time() - due, 0.0))
