"""Every session of the service."""

from collections.abc import Sequence
from typing import ClassVar, Final

from nicegui import ui
from nicegui.events import GenericEventArguments

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import EmotionalAIError
from emotional_ai.names import SESSION_ID
from emotional_ai.v1.engine_pb2 import SessionSummary
from emotional_ai.web.conversation import Conversations
from emotional_ai.web.page.kept import STYLE, Kept
from emotional_ai.web.page.sessions.listing import Wish, listing

FETCHED: Final = 1000
"""Sessions asked for at a time, the most the contract allows."""
ID_WORDS: Final = "1 to 128 letters, digits, - _ . : beginning with a letter or digit"
"""`SESSION_ID` in words."""


def sessions(client: AsyncClient, conversations: Conversations) -> None:
    """Shows the room. What was said in a session that is deleted here goes with it."""
    ui.add_css(STYLE)
    ui.label("Sessions").classes("room-title").props("role=heading aria-level=1")
    Sessions(client, conversations)


def deleted(session_id: str, exports: int) -> str:
    """What is said once a session is deleted."""
    if not exports:
        return f"Deleted {session_id}."
    times = "once" if exports == 1 else f"{exports} times"
    return f"Deleted {session_id}. It was exported {times}; those copies are not deleted."


class Sessions(Kept, component="sessions.js"):
    """The browser is sent the rows it shows, and no others."""

    REST: ClassVar[float] = 20.0

    def __init__(self, client: AsyncClient, conversations: Conversations) -> None:
        super().__init__()
        self._service = client
        self._conversations = conversations
        self._wish = Wish()
        self._every: Sequence[SessionSummary] = ()
        self._props["form"] = SESSION_ID
        self._props["allowed"] = ID_WORDS
        self.on("wished", self._wished)
        self.on("made", self._made)
        self.on("deleted", self._remove)

    async def refresh(self) -> None:
        """Fetches every session."""
        self._every = [one async for one in self._service.list_sessions(page_size=FETCHED)]
        self._fill()

    def _fill(self) -> None:
        self.show("fill", listing(self._every, self._wish))

    def _wished(self, event: GenericEventArguments) -> None:
        self._wish = Wish.of(event.args)
        self._fill()

    async def _made(self, event: GenericEventArguments) -> None:
        """Makes a session, or says under its field why not."""
        try:
            session = await self._service.create_session(str(event.args).strip())
        except EmotionalAIError as error:
            said = "; ".join(one.description for one in error.violations) or str(error)
            self.run_method("refused", said)
            return
        self.run_method("made_one", session.session_id)
        self.look()

    async def _remove(self, event: GenericEventArguments) -> None:
        session_id = str(event.args)
        try:
            exported = await self._service.delete_session(session_id)
        except EmotionalAIError as error:
            self.run_method("told", f"{session_id} was not deleted: {error}")
        else:
            self._conversations.drop(session_id)
            self.run_method("told", deleted(session_id, len(exported)))
        self.look()
