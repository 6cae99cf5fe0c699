"""Work that goes on beside something, as long as that lasts."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


@asynccontextmanager
async def alongside(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Does `work` in a task until the context ends, and then waits for it to have ended; raises what it failed with.

    What it fails with is logged at once, as the context may last as long as the service.

    No TaskGroup, which would wrap what goes wrong inside.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_told)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.result()


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s failed, and does not go on", task.get_name(), exc_info=error)
