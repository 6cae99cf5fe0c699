"""Blends on the server as requests need them: loaded once however many ask, kept while in use, unloaded when idle."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from emotional_ai_service.decoding.vllm.recipes import Recipe
from emotional_ai_service.decoding.vllm.shelf import Place, Shelf

log = logging.getLogger(__name__)


class Loader(Protocol):
    """What loads blends into a server."""

    async def load(self, recipe: Recipe) -> None:
        """Makes it available under its name; it may be already."""
        ...

    async def unload(self, recipe: Recipe) -> None:
        """Takes it away; it may be gone already."""
        ...


class Blends:
    """The blends of one server. Loading and unloading happen one after the other, so that a name is never both at once."""

    def __init__(self, shelf: Shelf, loader: Loader) -> None:
        self._shelf = shelf
        self._loader = loader
        self._turn = asyncio.Lock()
        self._loading: dict[Place, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def using(self, wanted: Recipe, *, exactly: bool) -> AsyncIterator[Recipe]:
        """A blend near enough to `wanted`, loaded and kept until the context is left.

        Raises ShelfFull, or what the loader raises; CancelledError if `close` ends the loading.
        """
        place = self._shelf.nearest(wanted, exactly=exactly) or self._put(wanted)
        self._shelf.begin(place)
        try:
            if (task := self._loading.get(place)) is not None:
                await asyncio.shield(task)  # others may wait for it
            yield place.recipe
        finally:
            self._shelf.end(place)

    async def load_again(self, recipe: Recipe) -> None:
        """Loads a blend in use that the server has lost."""
        async with self._turn:
            await self._loader.load(recipe)

    async def close(self) -> None:
        """Ends what is being loaded."""
        tasks = tuple(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, recipe: Recipe) -> Place:
        place, given_up = self._shelf.put(recipe)
        task = asyncio.create_task(self._bring(place, given_up), name=f"load {recipe.name}")
        self._loading[place] = task
        task.add_done_callback(lambda done: self._brought(place, done))
        return place

    async def _bring(self, place: Place, given_up: Recipe | None) -> None:
        async with self._turn:
            if given_up is not None:
                await self._loader.unload(given_up)
            await self._loader.load(place.recipe)

    def _brought(self, place: Place, task: asyncio.Task[None]) -> None:
        del self._loading[place]
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._shelf.drop(place)
        log.warning("blend %s could not be loaded: %s", place.recipe.name, error)
