"""How a session feels, as it moves: the server's half of `live.js`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nicegui import background_tasks, ui
from nicegui.element import Element
from nicegui.elements import echart  # noqa: F401  # offers the module that live.js draws with
from nicegui.events import GenericEventArguments

from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1.engine_pb2 import LogEntry
from emotional_ai.web.hub import Moment
from emotional_ai.web.page import colours, written
from emotional_ai.web.page.desk import Desk
from emotional_ai.web.page.live import past, points

STYLE: Final = Path(__file__).parent / "live.css"
SPANS: Final = {"2 min": 120, "10 min": 600, "1 h": 3600, "1 day": 86_400, "all": 0}
"""How far back a visitor may look, in seconds of wall time; 0 is the session's whole life."""


def live(desk: Desk) -> None:
    """Shows how a session feels, as it moves."""
    ui.add_css(STYLE)
    Live(desk)


class Live(Element, component="live.js", esm={"emotional-ai-live": "browser"} | written.ESM):
    """Sends a span when it is asked for, and then moments and marks one by one; nothing while nobody looks."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._seconds: int | None = None
        self._unmarked: list[LogEntry] = []
        """Entries that happened since a span was asked for, and were not sent yet."""
        self._rest = desk.latest.config.dynamics.baseline
        self._props["chemicals"] = [
            {
                "name": name,
                "colour": colours.CHEMICALS[name],
                "on_dark": colours.ON_DARK[name],
                "dash": colours.DASHES[name],
            }
            for name in CHEMICALS
        ]
        self._props["spans"] = [{"name": name, "seconds": seconds} for name, seconds in SPANS.items()]
        self._props["voice_colours"] = colours.PROTOTYPES
        self._props["other_colours"] = list(colours.ADAPTERS)
        self.on("shown", self._shown)
        self.on("hidden", self._hidden)
        desk.on_moment(self._add)
        desk.on_entries(self._mark)
        desk.on_back(lambda: self.run_method("turned"))

    async def _shown(self, event: GenericEventArguments) -> None:
        """The browser wants a span, and what follows it."""
        seconds = event.args if event.args in SPANS.values() else SPANS["10 min"]
        self._seconds = seconds
        moment = self._desk.latest
        found = await self._desk.asked(past.span(self._desk.client, moment, seconds))
        if found is None or self._seconds != seconds:
            return
        drawn, samples = found
        drawn["latest"] = points.point(self._desk.latest)  # it may have moved while the span was asked for
        self.run_method("fill", drawn)
        manners = await self._desk.asked(past.spoken(self._desk.client, moment, samples))
        if manners is not None and self._seconds == seconds:
            self.run_method("spoken", manners)

    def _hidden(self) -> None:
        self._seconds = None
        self._unmarked.clear()  # told with the span that is asked for next

    def _add(self, moment: Moment) -> None:
        if self._seconds is None:
            return
        rest = moment.config.dynamics.baseline
        if rest != self._rest:
            self._rest = rest
            self.run_method("rested", points.levels(rest))
        self.run_method("add", points.point(moment))

    def _mark(self, entries: Sequence[LogEntry]) -> None:
        if self._seconds is not None:
            self._unmarked += entries
            background_tasks.create(self._marked(), name="marks")

    async def _marked(self) -> None:
        """Sends marks once it is known what each did; what a call that failed should have told comes with the next."""
        entries = list(self._unmarked)
        if not entries:
            return
        explained = await self._desk.asked(self._desk.followed.explained(entries[0]))
        if explained is not None and self._seconds is not None:
            self._unmarked = [entry for entry in self._unmarked if entry.sequence > entries[-1].sequence]
            self.run_method("mark", points.marks(entries, explained))
