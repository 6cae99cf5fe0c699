"""What answers, how fast, and what waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import ClassVar, Final, TypeVar

from nicegui import ui

from emotional_ai.aio import AsyncClient
from emotional_ai.web.page.health import part
from emotional_ai.web.page.health.pulse import Pulse
from emotional_ai.web.page.kept import STYLE, Kept

COUNTED_SECONDS: Final = 15.0
"""How often sessions and jobs are counted: it takes a call for each thousand."""
FETCHED: Final = 1000
T = TypeVar("T")


def health(client: AsyncClient) -> None:
    """Shows the room."""
    ui.add_css(STYLE)
    ui.label("Health").classes("room-title").props("role=heading aria-level=1")
    Health(client)


class Health(Kept, component="health.js"):
    """Makes one cheap call of each part of the service now and then."""

    SECONDS: ClassVar[float] = 3.0

    def __init__(self, client: AsyncClient) -> None:
        super().__init__()
        self._service = client
        self._engine, self._language, self._training = Pulse(), Pulse(), Pulse()
        self._counted: float | None = None

    async def refresh(self) -> None:
        """Looks at every part at once: a service that is away is told within one deadline."""
        service = self._service
        _, model, _ = await asyncio.gather(
            self._engine.take(_first(service.list_sessions(page_size=1))),
            self._language.take(service.get_model()),
            self._training.take(_first(service.list_jobs(page_size=1))),
        )
        parts = [
            part.part("Emotion engine", self._engine, "sessions, states, histories"),
            part.language(self._language, model),
            part.part("Training", self._training, "jobs that train adapters"),
        ]
        self.show("fill", parts)
        self.show("carry", part.under_way(None if model is None else await service.get_load()))
        await self._count()

    async def _count(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._counted is not None and now < self._counted + COUNTED_SECONDS:
            return
        sessions = [None async for _ in self._service.list_sessions(page_size=FETCHED)]
        jobs = [one async for one in self._service.list_jobs(page_size=FETCHED)]
        self.show("count", part.counts(len(sessions), jobs))
        self._counted = now


async def _first(items: AsyncIterator[T]) -> T | None:
    """The first item, fetched with the one call it takes; None if there is none."""
    async with aclosing(items):  # type: ignore[type-var]
        async for item in items:
            return item
    return None
