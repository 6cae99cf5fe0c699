"""Notices that the service is away, and that it is back, for pages that say so."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import DeadlineExceeded, EmotionalAIError, Unavailable

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 2.0
WHILE_AWAY_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 2.0
"""How long the service may take to answer; silent twice in a row it counts as away, as once may be but much work."""

OnAway = Callable[[str | None], None]


class Reach:
    """Asks the service now and then whether it is there, as long as somebody wants to know."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._observers: dict[object, OnAway] = {}
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.away: str | None = None
        """Why the service cannot be reached; None while it can, as far as is known."""

    @contextmanager
    def observed(self, told: OnAway) -> Iterator[None]:
        """Calls `told` whenever `away` changes, never waiting for it."""
        key = object()
        self._observers[key] = told
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="emotional-ai reach")
        try:
            yield
        finally:
            del self._observers[key]
            if not self._observers:
                self.close()

    def look(self) -> None:
        """Asks at once: a call has just failed."""
        self._soon.set()

    def close(self) -> None:
        """Stops asking; nothing is known from then on."""
        self.away = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            self._soon.clear()
            self._take(await self._why_away())
            try:
                async with asyncio.timeout(WHILE_AWAY_SECONDS if self.away else EVERY_SECONDS):
                    await self._soon.wait()
            except TimeoutError:
                continue

    def _take(self, away: str | None) -> None:
        if away == self.away:
            return
        self.away = away
        for told in list(self._observers.values()):
            try:
                told(away)
            except Exception:
                logger.exception("a page could not show whether the service is away")

    async def _why_away(self) -> str | None:
        try:
            return await self._asked()
        except DeadlineExceeded:
            pass
        try:
            return await self._asked()
        except DeadlineExceeded as error:
            return error.message

    async def _asked(self) -> str | None:
        """Why the service could not be asked. Raises DeadlineExceeded if it was silent."""
        try:
            await self._client.get_model(timeout=PATIENCE_SECONDS)
        except Unavailable as error:
            return None if error.reason else error.message  # with a reason it is the service itself that says so
        except DeadlineExceeded as error:
            if not error.reason:
                raise
        except EmotionalAIError:
            return None  # it answers; whoever asks for more is told what is wrong
        return None
