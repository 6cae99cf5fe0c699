"""Letting go of what is older than it may be kept: now and then a pass over every session, a few of them a second.

What a session's log loses is replaced by one entry that says exactly what the session was, so its state goes on as it was. A
pass looks at two records of a session and reads no more where there is nothing to let go of.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, final

from emotional_ai_service.alongside import alongside
from emotional_ai_service.life import UNREADABLE
from emotional_ai_service.stores import SessionRow, StoreClosed, StoreError
from emotional_ai_service.tenants import Engines, owner_of

PAGE: Final = 100
"""Sessions listed at a time."""
ENTRIES: Final = 256
"""Log entries let go of at a time: they are folded in a thread, in a few milliseconds mostly."""
PAUSE_SECONDS: Final = 0.05
"""Between two looks at a session."""
LONGEST_REST_SECONDS: Final = 3600.0
"""Between two passes; a tenth of what is kept, where that is less."""
SHORTEST_REST_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


@final
class Retention:
    """Keeps the log entries of the last `keep_us` microseconds, and the state, of every session of every tenant."""

    def __init__(self, engines: Engines, keep_us: int, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._engines = engines
        self._keep_us = keep_us
        self._pause = pause_seconds

    @property
    def rest_seconds(self) -> float:
        """Wall seconds between two passes."""
        return max(SHORTEST_REST_SECONDS, min(LONGEST_REST_SECONDS, self._keep_us / 1e7))

    async def run(self) -> None:
        """One pass after another, without end; what fails is logged and tried again with the next."""
        while True:
            try:
                gone = await self.pass_over()
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("a pass over what may no longer be kept ended early, another follows: %s", error)
            except Exception:
                log.exception("a pass over what may no longer be kept failed, another follows")
            else:
                if gone:
                    log.info("let go of %d log entries that may no longer be kept", gone)
            await asyncio.sleep(self.rest_seconds)

    async def pass_over(self) -> int:
        """Looks at every session once, in order of key; returns how many log entries were let go of. Raises StoreError."""
        gone, after = 0, ""
        before_us = self._engines.clock() - self._keep_us
        while rows := await self._engines.store.list_sessions(after, PAGE):
            for row in rows:
                # The first entry alone, or one that is young, is all that may be kept.
                if row.version > 1 and row.created_us <= before_us:
                    gone += await self._let_go(row, before_us)
            after = rows[-1].session_id
        return gone

    async def _let_go(self, row: SessionRow, before_us: int) -> int:
        tenant, session_id = owner_of(row.session_id)
        engine = self._engines.of(tenant)
        gone = 0
        try:
            while more := await engine.forget_past(session_id, before_us, ENTRIES):
                gone += more
                await asyncio.sleep(self._pause)
        except UNREADABLE as error:
            log.error("the log of session %r is damaged, nothing more of it is let go of: %s", session_id, error)
        await asyncio.sleep(self._pause)
        return gone


@asynccontextmanager
async def retaining(engines: Engines, keep_us: int | None) -> AsyncIterator[None]:
    """Lets go of what is older than `keep_us` microseconds until the context ends; of nothing if None."""
    if keep_us is None:
        yield
        return
    async with alongside(Retention(engines, keep_us).run(), "retention"):
        yield
