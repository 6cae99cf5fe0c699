"""The page of one session: followed while the page is open, whatever becomes of the service meanwhile."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from nicegui import Client as Page
from nicegui import background_tasks, ui

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import AlreadyExists, EmotionalAIError, NotFound
from emotional_ai.names import SESSION_ID
from emotional_ai.web.hub import Hub
from emotional_ai.web.page.choice import Choice
from emotional_ai.web.page.desk import Desk, notice
from emotional_ai.web.page.lifetime import at_the_end
from emotional_ai.web.page.live import live
from emotional_ai.web.page.sessions import ID_WORDS
from emotional_ai.web.page.talk import talk
from emotional_ai.web.page.touch import touch
from emotional_ai.web.page.why import why

PANELS: Final[tuple[tuple[str, Callable[[Desk], None]], ...]] = (
    ("live", live),
    ("talk", talk),
    ("touch", touch),
    ("why", why),
)
"""By name, in order; the first stays beside the others where there is room."""
AT_ONCE_SECONDS: Final = 1.0
"""How long a page is held back to come with its content; after that it comes without, and is filled in."""
WAITING: Final = "Waiting for the service ..."
RETRY_SECONDS: Final = 2.0
"""Between two looks for a service, or a session, that is not there."""


async def show_session(client: AsyncClient, hub: Hub, session_id: str, *, make: bool) -> None:
    """Shows a session while the page is open; with `make`, one that does not exist is made."""
    shown = _Shown(client, hub, session_id, ui.context.client, make=make)
    if re.fullmatch(SESSION_ID, session_id) is None:  # nothing to wait for
        shown.say(f"A session cannot be called {session_id}: an id has {ID_WORDS}.", _every_session)
        return
    at_the_end(background_tasks.create(shown.live(), name=f"page of session {session_id}").cancel)
    try:
        async with asyncio.timeout(AT_ONCE_SECONDS):
            await shown.something.wait()
    except TimeoutError:
        shown.say(WAITING)


class _Shown:
    """A session on one page: its panels, or what keeps them from being shown."""

    def __init__(self, client: AsyncClient, hub: Hub, session_id: str, page: Page, *, make: bool) -> None:
        self._client = client
        self._hub = hub
        self._session_id = session_id
        self._page = page
        self._make = make
        self._place = ui.element("div").classes("place")
        self._said = ""
        self._made = asyncio.Event()
        self.something = asyncio.Event()
        """Set once there is something to see."""

    async def live(self) -> None:
        """Follows the session for good."""
        while True:
            try:
                await self._followed()
            except NotFound:
                await self._tried(self._missing())
            except EmotionalAIError as error:
                await self._refused(error)

    async def _followed(self) -> None:
        """Shows the panels until the session is gone, and raises why."""
        desk = Desk(self._client, self._hub, self._session_id, self._page)
        gone: asyncio.Future[EmotionalAIError] = asyncio.get_running_loop().create_future()

        def ended(error: EmotionalAIError) -> None:
            if not gone.done():
                gone.set_result(error)

        following = self._hub.following(self._session_id, desk.tell_moment, heard=desk.tell_entries, ended=ended)
        async with following as desk.followed:
            self._make, self._said = False, ""
            self._place.clear()
            with self._place:
                _panels(desk)
            self.something.set()
            with self._hub.on_away(desk.tell_away):
                raise await gone

    async def _missing(self) -> None:
        """Makes the session, if this page may: once, and not again when somebody deletes it. Waits for one otherwise."""
        if self._make:
            await self._made_here()
            return
        self._made.clear()
        self.say(f"There is no session {self._session_id}.", self._offer)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self._made.wait()

    async def _tried(self, work: Awaitable[None]) -> None:
        try:
            await work
        except EmotionalAIError as error:
            await self._refused(error)

    async def _refused(self, error: EmotionalAIError) -> None:
        self.say(str(error) if error.reason else WAITING)
        await self._until_back()

    async def _made_here(self) -> None:
        with suppress(AlreadyExists):
            await self._client.create_session(self._session_id)
        self._make = False

    def say(self, words: str, foot: Callable[[], None] = lambda: None) -> None:
        """Shows words instead of panels, and under them what `foot` makes; words that stand there already stay."""
        if words != self._said:
            self._said = words
            self._place.clear()
            with self._place, ui.element("div").classes("card empty"):
                ui.label(words)
                foot()
        self.something.set()

    def _offer(self) -> None:
        ui.button("Create it", on_click=self._create).props("unelevated no-caps")
        _every_session()

    async def _create(self) -> None:
        try:
            await self._made_here()
        except EmotionalAIError as error:
            notice(error)
        else:
            self._made.set()

    async def _until_back(self) -> None:
        back = asyncio.Event()

        def told(away: str | None) -> None:
            if away is None:
                back.set()

        self._hub.reach.look()
        with self._hub.on_away(told), suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await back.wait()


def _every_session() -> None:
    ui.link("All sessions", "/sessions")


def _panels(desk: Desk) -> None:
    with ui.element("div").classes("desk").props("id=desk"):
        Choice([name for name, _ in PANELS], "desk").classes("desk-choice")
        for name, build in PANELS:
            with (
                ui.element("div").classes(f"card panel panel-{name}").props(f"id=panel-{name}"),
                ui.element("section").props(f"aria-label={name}"),
            ):
                build(desk)
