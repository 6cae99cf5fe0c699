"""An element that is kept up to date while somebody looks at it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from nicegui import background_tasks
from nicegui.element import Element

from emotional_ai.errors import EmotionalAIError, TryAgain
from emotional_ai.web.page import written
from emotional_ai.web.page.desk import notice
from emotional_ai.web.page.lifetime import at_the_end

STYLE: Final = Path(__file__).parent / "kept.css"
LONGEST_SECONDS: Final = 30.0
"""Between two refreshes, at most."""
AGAIN_SECONDS: Final = 1.0
"""After one that failed."""
T = TypeVar("T")


class Kept(Element, ABC, esm={"emotional-ai-kept": "browser"} | written.ESM):
    """Refreshed at once when the browser shows it, and then now and then until it is hidden or gone."""

    SECONDS: ClassVar[float] = 5.0
    """Between two refreshes, at least."""
    REST: ClassVar[float] = 0.0
    """Times as long as a refresh took that nothing is asked after it, so that a long list costs no more than a short one."""

    def __init__(self) -> None:
        super().__init__()
        self._keeping: asyncio.Task[None] | None = None
        self._sent: dict[str, object] = {}
        self.on("looking", self.look)
        self.on("away", self.leave)
        at_the_end(self.leave)

    @abstractmethod
    async def refresh(self) -> None:
        """Asks the service, and shows what is otherwise than before. What it raises is said, and it is tried again."""

    def look(self) -> None:
        """Refreshes at once, and goes on from there."""
        self.leave()
        self._keeping = background_tasks.create(self._kept(), name=f"keeping {type(self).__name__}")

    def leave(self) -> None:
        """Nobody looks any more."""
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None

    @property
    def looked_at(self) -> bool:
        """Whether somebody looks."""
        return self._keeping is not None

    def show(self, method: str, what: object) -> None:
        """Calls a method of the browser's half, unless it was called with the same before."""
        if method not in self._sent or self._sent[method] != what:
            self._sent[method] = what
            self.run_method(method, what)

    def forget(self, *methods: str) -> None:
        """Calls them again, even with the same."""
        for method in methods:
            self._sent.pop(method, None)

    async def asked(self, call: Awaitable[T]) -> T | None:
        """What a call of the SDK comes to; None if it fails, after a notice on the page that says why."""
        try:
            return await call
        except EmotionalAIError as error:
            with self:
                notice(error)
            return None

    async def _kept(self) -> None:
        while not self.is_deleted:
            seconds = await self._refreshed()
            await asyncio.sleep(seconds)

    async def _refreshed(self) -> float:
        """Refreshes once, and returns how long to wait before the next time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self.refresh()
        except EmotionalAIError as error:
            self.show("stale", in_words(error))
            return min(self.SECONDS, AGAIN_SECONDS)
        self.show("stale", "")
        return max(self.SECONDS, min(self.REST * (loop.time() - began), LONGEST_SECONDS))


def in_words(error: EmotionalAIError) -> str:
    """What a room says of an error; of a service that is away the page itself says more."""
    away = isinstance(error, TryAgain) and not error.reason
    return "the service does not answer" if away else str(error)
