"""A room of the page without a browser: what it would be sent, and what a visitor does.

async with entered(sessions, client) as sight:
    await sight.shows("fill", lambda listing: listing["rows"])
    sight.does("deleted", "ada")
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from loopback import PATIENCE
from nicegui import Client as Page
from nicegui import core
from nicegui.page import page

from emotional_ai.aio import AsyncClient
from emotional_ai.web.page.kept import Kept

_CALL: Final = re.compile(r'return runMethod\((\d+), "(\w+)", (.*)\)', re.DOTALL)


class Sight:
    """One visitor's page with a room on it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._place = 0
        found = [element for element in page.elements.values() if isinstance(element, Kept)]
        assert len(found) == 1
        self.room = found[0]

    @property
    def sent(self) -> list[tuple[str, Any]]:
        """Everything the browser's half of the room was called with so far: method and argument."""
        calls = (
            _CALL.fullmatch(data["code"]) for _, kind, data in self._page.outbox.messages if kind == "run_javascript"
        )
        return [(call[2], json.loads(call[3])[0]) for call in calls if call and int(call[1]) == self.room.id]

    def does(self, what: str, *args: Any) -> None:
        """A visitor does something, as the browser tells it."""
        listener = next(one for one in self.room._event_listeners.values() if one.type == what)
        self.room._handle_event({"listener_id": listener.id, "args": args[0] if args else None})

    async def shows(self, method: str, so: Callable[[Any], object] = lambda _: True) -> Any:
        """Waits until what a method was called with last is so."""
        async with asyncio.timeout(PATIENCE):
            while True:
                last = [what for name, what in self.sent if name == method][-1:]
                if last and so(last[0]):
                    return last[0]
                await asyncio.sleep(0.01)

    async def until(self, method: str, so: Callable[[Any], object] = lambda _: True) -> Any:
        """Waits for a call that is so and was not waited for before; what was sent before it is passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for index, (name, what) in enumerate(self.sent[self._place :]):
                    if name == method and so(what):
                        self._place += index + 1
                        return what
                await asyncio.sleep(0.01)


@asynccontextmanager
async def entered(build: Callable[[AsyncClient], None], client: AsyncClient) -> AsyncIterator[Sight]:
    """Shows a room to a visitor who looks at it."""
    core.loop = asyncio.get_running_loop()
    shown = Page(page("/room"))
    try:
        with shown:
            build(client)
        sight = Sight(shown)
        sight.does("looking")
        yield sight
    finally:
        shown.delete()
        core.loop = None
