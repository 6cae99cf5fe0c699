"""Why a session feels as it does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nicegui import background_tasks, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page import lines
from emotional_ai.web.page.desk import Desk
from emotional_ai.web.page.why.explained import explained
from emotional_ai.web.page.why.happened import rows
from emotional_ai.web.page.why.otherwise import otherwise
from emotional_ai.web.page.why.spans import Span, between, last_minutes

HERE: Final = Path(__file__).parent
STYLES: Final = (HERE / "why.css", lines.STYLE)
ESM: Final = {"emotional-ai-why": str(HERE / "browser")}


def why(desk: Desk) -> None:
    """Shows why a session feels as it does."""
    for style in STYLES:
        ui.add_css(style)
    Why(desk)


class Why(Element, component="why.js", esm=ESM | lines.ESM):
    """Explanation, events and what would have been. Nothing is asked before the panel is first seen."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._seen = False
        self._sent = 0
        """Sequence of the last event the browser was told of."""
        self._without: list[int] = []
        self._props["session"] = desk.session_id
        self._props["chemicals"] = list(CHEMICALS)
        desk.on_entries(self._heard)
        desk.on_back(lambda: self.run_method("back"))
        self.on("seen", self._shown)
        self.on("explain", self._explain)
        self.on("without", self._think_away)

    async def _shown(self, _: GenericEventArguments) -> None:
        """The browser shows the panel and knows nothing yet."""
        self._seen, self._sent = True, 0
        await self._list()

    def _heard(self, _: Sequence[pb.LogEntry]) -> None:
        if self._seen:
            background_tasks.create(self._list(), name="events of the panel why")

    async def _list(self) -> None:
        """Sends the events that were not sent yet; what a call that failed should have told comes with the next."""
        news = [entry for entry in self._desk.entries if entry.sequence > self._sent]
        if not news:
            return
        told = await self._desk.asked(self._desk.followed.explained(news[0]))
        if told is not None:
            self._sent = max(self._sent, news[-1].sequence)
            self.run_method("happened", rows(news, told.entries))

    async def _explain(self, given: GenericEventArguments) -> None:
        told = await self._desk.asked(self._asked_for(*given.args))
        if told is not None:
            self.run_method("explained", explained(told))

    async def _asked_for(self, kind: str, one: float, other: float) -> pb.ExplainResponse:
        """The explanation of a span the visitor chose: its kind, and what it needs."""
        match kind:
            case "minutes":
                session = await self._desk.client.get_session(self._desk.session_id)
                return await self._explanation(last_minutes(session, one))
            case "between":
                return await self._explanation(between(self._desk.entries, int(one), int(other)))
            case _:
                return await self._explanation(Span())

    async def _explanation(self, span: Span) -> pb.ExplainResponse:
        return await self._desk.client.explain(self._desk.session_id, start=span.start, end=span.end)

    async def _think_away(self, given: GenericEventArguments) -> None:
        """Shows the life without the events unticked last; answers overtaken by another tick are dropped."""
        wanted = self._without = list(given.args)
        gone = [entry for entry in self._desk.entries if entry.sequence in set(wanted)]
        if not gone:
            self.run_method("otherwise", None)
            return
        told = await self._desk.asked(otherwise(self._desk.client, self._desk.session_id, gone))
        if told is not None and wanted == self._without:
            self.run_method("otherwise", told)
