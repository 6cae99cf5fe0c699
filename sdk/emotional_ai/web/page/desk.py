"""What the panels of one open session page share."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from nicegui import Client as Page
from nicegui import ui

from emotional_ai.aio import AsyncClient
from emotional_ai.connection import start_command
from emotional_ai.errors import DeadlineExceeded, EmotionalAIError, TryAgain, Unavailable
from emotional_ai.v1.engine_pb2 import LogEntry
from emotional_ai.web.conversation import Conversations
from emotional_ai.web.hub import Followed, Hub, Moment

T = TypeVar("T")

SESSION_GONE: Final = "SESSION_NOT_FOUND"
SILENCE: Final[Mapping[type[EmotionalAIError], str]] = {
    Unavailable: "the service does not answer",
    DeadlineExceeded: "the service did not answer in time, and what was asked may have happened",
}
"""What is said of errors that did not come from the service itself: what gRPC and the SDK say then is for programs."""


class Desk:
    """One per open session page; its panels ask and are told through it."""

    client: AsyncClient
    """The way to the service."""
    session_id: str
    """The session this page shows."""
    followed: Followed
    """The session as every page sees it; `apply` goes over its stream."""

    def __init__(self, client: AsyncClient, hub: Hub, session_id: str, page: Page) -> None:
        self.client = client
        self.session_id = session_id
        self._hub = hub
        self._page = page
        self._seen: list[Callable[[Moment], None]] = []
        self._heard: list[Callable[[Sequence[LogEntry]], None]] = []
        self._back: list[Callable[[], object]] = []

    @property
    def latest(self) -> Moment:
        """The newest moment."""
        return self.followed.latest

    @property
    def entries(self) -> list[LogEntry]:
        """The newest entries of the log, at most 1000, oldest first."""
        return list(self.followed.entries)

    @property
    def start(self) -> str:
        """The command that starts a service where this one is looked for."""
        return start_command(self._hub.target)

    @property
    def conversations(self) -> Conversations:
        """What is said in the sessions, shared by every page."""
        return self._hub.conversations

    def on_moment(self, seen: Callable[[Moment], None]) -> None:
        """Calls `seen` with each new moment, in the context of the page, at most 10 times a second."""
        self._seen.append(seen)

    def on_entries(self, seen: Callable[[Sequence[LogEntry]], None]) -> None:
        """Calls `seen` with the entries of the log that are new since the page was opened, in order."""
        self._heard.append(seen)

    def on_back(self, again: Callable[[], object]) -> None:
        """Calls `again` each time the service answers after it was away, for what could not be asked meanwhile."""
        self._back.append(again)

    async def asked(self, call: Awaitable[T]) -> T | None:
        """What a call of the SDK comes to; None if it fails, after a notice on the page that says why.

        Of a session that is gone the page itself says so, in place of the panels.
        """
        try:
            return await call
        except EmotionalAIError as error:
            if isinstance(error, TryAgain):
                self._hub.reach.look()
            if error.reason != SESSION_GONE:
                with self._page:
                    notice(error)
            return None

    def tell_moment(self, moment: Moment) -> None:
        """Hands a moment to the panels."""
        with self._page:
            for seen in self._seen:
                seen(moment)

    def tell_entries(self, entries: Sequence[LogEntry]) -> None:
        """Hands new entries to the panels."""
        with self._page:
            for seen in self._heard:
                seen(entries)

    def tell_away(self, away: str | None) -> None:
        """Tells the panels once the service is back."""
        if away is None:
            with self._page:
                for again in self._back:
                    again()


def notice(error: EmotionalAIError) -> None:
    """Says on the page what was wrong, and what is allowed; how to start a service that is away, the page says already."""
    silence = None if error.reason else SILENCE.get(type(error))
    said = silence or "; ".join(f"{one.field} {one.description}" for one in error.violations) or str(error)
    ui.notify(said, type="negative", position="bottom", multi_line=True, close_button="Close", timeout=10_000)
