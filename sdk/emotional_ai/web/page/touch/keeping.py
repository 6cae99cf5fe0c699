"""A whole session to a file of the browser, and from one."""

import secrets
from typing import Final

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from emotional_ai.errors import EmotionalAIError, InvalidArgument
from emotional_ai.web.page.desk import Desk

LONGEST_ID: Final = 128
"""Characters of an id."""
MOST: Final = 4 * 1024 * 1024
"""Bytes of a file that the service takes in one message."""


class Parts:
    """A text that arrives in parts, in order."""

    def __init__(self) -> None:
        self._held: list[str] = []

    def add(self, index: int, count: int, part: str) -> str | None:
        """Takes a part; returns the whole text with the last. Raises InvalidArgument for one that is out of order."""
        if index == 0:
            self._held.clear()
        if index != len(self._held) or sum(map(len, self._held)) + len(part) > MOST:
            self._held.clear()
            raise InvalidArgument.of(
                "MALFORMED_FILE", "the file", f"did not arrive whole, or is beyond {MOST} characters"
            )
        self._held.append(part)
        if len(self._held) < count:
            return None
        whole = "".join(self._held)
        self._held.clear()
        return whole


class Keeping(Element, component="keeping.js"):
    """Export and import of a session."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._parts = Parts()
        self._props["most"] = MOST
        self.on("exported", self._export)
        self.on("imported", self._import)

    async def _export(self, _: GenericEventArguments) -> None:
        desk = self._desk
        text = await desk.asked(desk.client.export_json(desk.session_id))
        if text is not None:
            ui.download.content(text, f"{desk.session_id}.session.json", "application/json")
            self.run_method("said", f"{desk.session_id} is exported", "", [])

    async def _import(self, given: GenericEventArguments) -> None:
        session_id, index, count, part = given.args
        try:
            text = self._parts.add(index, count, part)
            if text is None:
                return
            session = await self._desk.client.import_json(text, session_id=session_id or made_up(self._desk.session_id))
        except EmotionalAIError as error:
            self.run_method("said", "Nothing was imported.", "", wrongs(error))
        else:
            self.run_method("said", "Imported as ", session.session_id, [])


def made_up(session_id: str) -> str:
    """An id nobody has, by which one sees where the session came in."""
    return f"{session_id[: LONGEST_ID - 9]}-{secrets.token_hex(4)}"


def wrongs(error: EmotionalAIError) -> list[str]:
    """What was wrong, a line for each path."""
    return [f"{one.field}: {one.description}" for one in error.violations] or [str(error)]
