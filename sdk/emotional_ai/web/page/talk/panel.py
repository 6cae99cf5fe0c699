"""A conversation with a session: the server's half of `talk.js`."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from nicegui import background_tasks, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from emotional_ai.errors import EmotionalAIError
from emotional_ai.limits import LONGEST_TEXT, MOST_TOKENS
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1.engine_pb2 import LogEntry
from emotional_ai.web.conversation import Busy, Conversation, Told
from emotional_ai.web.page import colours, written
from emotional_ai.web.page.desk import Desk
from emotional_ai.web.page.lifetime import at_the_end
from emotional_ai.web.page.talk import told
from emotional_ai.web.page.talk.asked import again, asked

STYLE: Final = Path(__file__).parent / "talk.css"
AGAIN_SECONDS: Final = 2.0
"""How long a page waits before it asks again whether somebody speaks."""
LANGUAGE_OFF: Final = "LANGUAGE_OFF"
"""Reason of the error that the service has an engine alone."""


def talk(desk: Desk) -> None:
    """Shows the conversation with a session."""
    ui.add_css(STYLE)
    Talk(desk)


class Talk(Element, component="talk.js", esm={"emotional-ai-talk": "browser"} | written.ESM):
    """Sends the conversation once, and then what changes in it; carries out what a visitor asks of it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._conversation: Conversation | None = None
        self._leave: Callable[[], None] = lambda: None
        self._opening: asyncio.Task[None] | None = None
        self._props["session"] = desk.session_id
        self._props["chemicals"] = [
            {"name": name, "colour": colours.CHEMICALS[name], "on_dark": colours.ON_DARK[name]} for name in CHEMICALS
        ]
        self._props["start"] = desk.start
        self._props["longest"] = LONGEST_TEXT
        self._props["most_tokens"] = MOST_TOKENS
        desk.on_entries(self._heard)
        self.on("shown", self._shown)
        self.on("say", lambda event: self._carry_out(lambda on: self._say(on, event)))
        self.on("again", lambda event: self._carry_out(lambda on: self._again(on, event)))
        self.on("retry", lambda: self._carry_out(Conversation.retry))
        self.on("stop", lambda: self._carry_out(Conversation.stop))
        self.on("forget", lambda: self._carry_out(Conversation.forget))
        self.on("states", self._states)
        at_the_end(self._left)

    def _shown(self) -> None:
        """The browser shows the panel and knows nothing yet."""
        self._left()
        self._conversation = None
        self._opening = background_tasks.create(self._opened(), name=f"talk of {self._desk.session_id}")

    def _left(self) -> None:
        self._leave()
        if self._opening is not None:
            self._opening.cancel()

    async def _opened(self) -> None:
        """Sends the conversation, and whether somebody speaks here; asks until somebody does."""
        while not self.is_deleted:
            if await self._speaks():
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _speaks(self) -> bool:
        client = self._desk.client
        try:
            if self._conversation is None:
                self._join(self._desk.conversations.of(await client.get_session(self._desk.session_id)))
            model = await client.get_model()
        except EmotionalAIError as error:
            self._send("hush", _why_silent(error), error.reason == LANGUAGE_OFF)
            return False
        if not model.ready:
            self._send("hush", f"The model {model.name} is being loaded.", False)
            return False
        self._send("speaks", model.name)
        return True

    def _join(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._leave = conversation.join(self._tell)
        self._send("fill", [told.turn(turn) for turn in conversation.turns], told.bounds(conversation.bounds))
        self._heard(self._desk.entries)

    def _heard(self, entries: Sequence[LogEntry]) -> None:
        """Tells what moved the session and was not said here."""
        if self._conversation is not None and (news := told.elsewhere(entries, self._conversation.said)):
            self._send("elsewhere", news)

    def _tell(self, change: Told) -> None:
        self._send("take", told.change(change))

    def _send(self, method: str, *what: object) -> None:
        """Calls a method of `talk.js`, unless the panel has been taken down."""
        if self.is_deleted:
            self._left()
        else:
            self.run_method(method, *what)

    def _carry_out(self, what: Callable[[Conversation], None]) -> None:
        """Does what the visitor asked for, or says why not."""
        if self._conversation is None:
            self._send("refused", "the service has not answered yet; wait a moment")
            return
        try:
            what(self._conversation)
        except (ValueError, Busy) as error:
            self._send("refused", str(error))

    def _say(self, conversation: Conversation, event: GenericEventArguments) -> None:
        wanted = asked(event.args)
        conversation.say(wanted.text, wanted.sampling)

    def _again(self, conversation: Conversation, event: GenericEventArguments) -> None:
        wanted = again(event.args)
        conversation.again(wanted.number, wanted.supposed, wanted.sampling, self._desk.latest.config)

    async def _states(self) -> None:
        """The browser wants the states there are to choose from."""
        try:
            adapters = await self._desk.client.list_adapters()
        except EmotionalAIError as error:
            self._send("choose", [], str(error))
        else:
            self._send("choose", told.states(adapters), "")


def _why_silent(error: EmotionalAIError) -> str:
    if error.reason == LANGUAGE_OFF:
        return "This service is the emotion engine alone: it feels, and speaks no language."
    return str(error)
