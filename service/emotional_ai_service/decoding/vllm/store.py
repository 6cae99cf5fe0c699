"""Blends on the disk and in the server: written by the preparing process, loaded from there, removed when unloaded."""

import asyncio
import logging
import shutil
from contextlib import aclosing
from pathlib import Path

from emotional_ai_service.decoding.errors import CannotBlend
from emotional_ai_service.decoding.vllm.errors import BlendRefused
from emotional_ai_service.decoding.vllm.preparation import Answer, BlendJob, Job
from emotional_ai_service.decoding.vllm.recipes import BACKEND, Recipe
from emotional_ai_service.decoding.vllm.server import VllmServer
from emotional_ai_service.workers import Worker

log = logging.getLogger(__name__)


class BlendStore:
    """Loads blends into a server from a directory both see."""

    def __init__(self, directory: Path, server: VllmServer, preparer: Worker[Job, Answer]) -> None:
        self._directory = directory.absolute()  # the server has another working directory
        self._server = server
        self._preparer = preparer
        self._owed: dict[str, None] = {}  # names to unload, the server having failed to

    async def load(self, recipe: Recipe) -> None:
        """Writes the blend and has the server load it. Raises AdapterRefused, CannotBlend or ModelUnavailable."""
        path = self._directory / recipe.name
        self._owed.pop(recipe.name, None)
        async with aclosing(self._preparer.request(BlendJob(recipe, path))) as answers:
            async for _ in answers:
                pass
        try:
            await self._server.load(recipe.name, path)
        except BlendRefused as error:
            raise CannotBlend(BACKEND, f"could not have vLLM load the blend ({error})") from error

    async def unload(self, recipe: Recipe) -> None:
        """Has the server forget the blend, and removes it. What it does not forget now is unloaded with the next one.

        Raises ServerSilent.
        """
        self._owed[recipe.name] = None
        for name in tuple(self._owed):
            try:
                await self._server.unload(name)
            except BlendRefused as error:
                log.warning("vLLM keeps blend %s for now: %s", name, error)
                continue
            del self._owed[name]
            await asyncio.to_thread(shutil.rmtree, self._directory / name, ignore_errors=True)

    async def clear(self) -> None:
        """Unloads and removes what an earlier service left: every adapter the server has from this directory.

        Raises ServerSilent, BlendRefused, or OSError if the directory cannot be emptied.
        """
        for served in await self._server.served():
            if Path(served.root).parent == self._directory:
                await self._server.unload(served.name)
        await asyncio.to_thread(_empty, self._directory)


def _empty(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for entry in directory.iterdir():
        if entry.is_dir() and entry.name.startswith(("blend-", ".writing-")):
            shutil.rmtree(entry)
