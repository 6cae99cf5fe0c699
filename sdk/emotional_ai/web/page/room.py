"""A page around a session: built by one function, and again once the service is back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Final

from nicegui import background_tasks, ui

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import EmotionalAIError, TryAgain
from emotional_ai.web.hub import Hub
from emotional_ai.web.page.lifetime import at_the_end

Build = Callable[[AsyncClient], Awaitable[None]]
AT_ONCE_SECONDS: Final = 1.0
"""How long a page is held back to come with its content; after that it comes without, and is filled in."""
WAITING: Final = "Waiting for the service ..."


async def show_room(client: AsyncClient, hub: Hub, build: Build) -> None:
    """Shows a room, or what keeps it from being shown."""
    room = _Room(client, hub, build)
    until_gone = ExitStack()
    until_gone.enter_context(hub.on_away(room.told))
    at_the_end(until_gone.close)
    await asyncio.wait([room.build()], timeout=AT_ONCE_SECONDS)


class _Room:
    """One room on one page."""

    def __init__(self, client: AsyncClient, hub: Hub, build: Build) -> None:
        self._client = client
        self._hub = hub
        self._build = build
        self._failed = False
        self._place = ui.element("div").classes("room")

    def build(self) -> asyncio.Task[None]:
        """Builds the content, anew if there is some."""
        return background_tasks.create(self._built(), name="room")

    def told(self, away: str | None) -> None:
        """Takes in that the service is away, or back."""
        if away is None and self._failed:
            self.build()

    async def _built(self) -> None:
        self._failed = False
        self._place.clear()
        with self._place:
            try:
                await self._build(self._client)
            except EmotionalAIError as error:
                self._failed = isinstance(error, TryAgain)
                self._hub.reach.look()
                self._place.clear()
                waiting = self._failed and not error.reason
                ui.label(WAITING if waiting else str(error)).classes("card empty")
