"""How many sessions a tenant has, where that is limited: counted once in the store, then with each that begins or goes."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, final

from emotional_ai_service.errors import QuotaExceeded
from emotional_ai_service.stores import SessionRow

RECOUNT_SECONDS: Final = 30.0
"""After which a count is made anew where other processes begin and delete sessions too."""
_PAGE: Final = 1_000


class Listed(Protocol):
    """What a count asks of an engine."""

    async def list(self, after_id: str, limit: int) -> list[SessionRow]:
        """Sessions in order of id."""
        ...


@final
class Population:
    """The sessions of one tenant. `allowed` tells how many there may be, infinite where that does not matter.

    `shared` is whether other processes begin and delete them too.
    """

    def __init__(self, allowed: Callable[[], float], *, shared: bool = False) -> None:
        self._allowed = allowed
        self._shared = shared
        self._count: int | None = None
        self._counted_at = 0.0
        self._counting = asyncio.Lock()

    async def counted(self, engine: Listed) -> None:
        """Counts, if that is needed before a session may begin."""
        now = asyncio.get_running_loop().time()
        if self._allowed() == float("inf") or self._sure(now):
            return
        async with self._counting:
            if not self._sure(now):
                self._count = await _count(engine)
                self._counted_at = now

    def enter(self) -> None:
        """A session is about to begin. Raises QuotaExceeded where no other may."""
        if self._count is None:
            return
        allowed = self._allowed()
        if self._count + 1 > allowed:
            raise QuotaExceeded("sessions", self._count, allowed, "delete some that are no longer needed")
        self._count += 1

    def leave(self) -> None:
        """A session has been deleted, or did not begin after all."""
        if self._count:
            self._count -= 1

    def _sure(self, now: float) -> bool:
        return self._count is not None and (not self._shared or now - self._counted_at < RECOUNT_SECONDS)


async def _count(engine: Listed) -> int:
    count, after = 0, ""
    while rows := await engine.list(after, _PAGE):
        count += len(rows)
        after = rows[-1].session_id
    return count
