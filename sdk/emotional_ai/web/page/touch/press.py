"""Signals as they are pressed: one at a time, several at once, or held for a while."""

from collections.abc import Awaitable, Mapping
from typing import Final

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from emotional_ai import names
from emotional_ai.stimuli import signals_of
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.hub import Moment
from emotional_ai.web.page import written
from emotional_ai.web.page.desk import Desk

PLEASANT: Final = ("reward", "novelty", "achievement", "social_warmth", "praise", "relaxation")
UNPLEASANT: Final = ("threat", "uncertainty", "rejection", "loss", "conflict", "boredom")
GROUPS: Final = (("Pleasant", PLEASANT), ("Unpleasant", UNPLEASANT))
MEANINGS: Final[Mapping[str, str]] = {
    "reward": "joy; something conducive to a goal",
    "novelty": "something new",
    "achievement": "pride; success by one's own agency",
    "social_warmth": "love or gratitude from another",
    "praise": "admiration received",
    "relaxation": "relief; it can be coped with",
    "threat": "fear; obstruction that can hardly be coped with",
    "uncertainty": "an unsure outcome",
    "rejection": "reproach received",
    "loss": "distress or disappointment",
    "conflict": "anger",
    "boredom": "of little relevance",
}
"""What each signal stands for, as the contract says it."""


def event(intensities: Mapping[str, float], note: str = "") -> pb.Stimulus:
    """Signals that act at once. Raises InvalidArgument for a name that is no signal."""
    return pb.Stimulus(event=signals_of(intensities), note=note)


def held(intensities: Mapping[str, float], minutes: float, note: str = "") -> pb.Stimulus:
    """Signals that hold for simulated minutes, until others replace them if 0; without any, what was held ends."""
    sustained = pb.SustainedSignals(signals=signals_of(intensities), duration_minutes=minutes)
    return pb.Stimulus(sustained=sustained, note=note)


def told(intensities: Mapping[str, float]) -> str:
    """Signals in words, such as "praise 0.70, social warmth 0.40"."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in intensities.items())


class Press(Element, component="press.js", esm=written.ESM):
    """Buttons and sliders of the twelve signals. What is pressed goes over the stream that the page follows."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._props["groups"] = [{"name": name, "signals": list(signals)} for name, signals in GROUPS]
        self._props["meanings"] = dict(MEANINGS)
        self._props["held"] = ""
        self._show(desk.latest)
        desk.on_moment(self._show)
        self.on("press", self._pressed)
        self.on("hold", self._hold)
        self.on("release", self._release)

    def _show(self, moment: Moment) -> None:
        """Says what is held, if that changed."""
        words = told(names.signals(moment.state.sustained))
        if words != self._props["held"]:
            self._props["held"] = words

    async def _pressed(self, given: GenericEventArguments) -> None:
        intensities, note = given.args
        await self._apply(event(intensities, note), f"{told(intensities)}: applied")

    async def _hold(self, given: GenericEventArguments) -> None:
        intensities, minutes, note = given.args
        how_long = f"for {minutes:g} simulated minutes" if minutes else "until it is ended"
        await self._apply(held(intensities, minutes, note), f"{told(intensities)}: held {how_long}")

    async def _release(self, _: GenericEventArguments) -> None:
        await self._apply(held({}, 0), "nothing is held now")

    async def _apply(self, stimulus: pb.Stimulus, done: str) -> None:
        stored = await self._desk.asked(_stored(self._desk.followed.apply([stimulus])))
        self.run_method("said", done if stored else "not applied")


async def _stored(sent: Awaitable[None]) -> bool:
    await sent
    return True
