"""How fast time passes for a session: its scale, frozen or not, minutes at once, and back to the baseline."""

from collections.abc import Iterable
from typing import Final

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.hub import Moment
from emotional_ai.web.page.desk import Desk
from emotional_ai.web.page.touch.replacing import reconfigured

USUAL: Final = 10.0
"""Simulated minutes per wall minute of a session that names none."""
PACES: Final = (("physiological", 1), ("usual", 10), ("fast", 60), ("very fast", 600))
"""Scales by name, in simulated minutes per wall minute."""
LEAPS: Final = (("10 minutes", 10), ("1 hour", 60), ("6 hours", 360), ("1 day", 1440))
"""Spans by name, in simulated minutes."""


def at_scale(config: pb.SessionConfig, scale: float) -> pb.SessionConfig:
    """The same configuration at another time scale."""
    changed = pb.SessionConfig()
    changed.CopyFrom(config)
    changed.dynamics.time_scale = scale
    return changed


def moving_scale(entries: Iterable[pb.LogEntry]) -> float:
    """The time scale a frozen session had before; the usual one where its log, oldest first, does not say."""
    scale = USUAL
    for entry in entries:
        config = _config(entry)
        if config.dynamics.time_scale:
            scale = config.dynamics.time_scale
    return scale


def _config(entry: pb.LogEntry) -> pb.SessionConfig:
    """The configuration an entry brings; an empty one where it brings none."""
    match entry.WhichOneof("effect"):
        case "configured":
            return entry.configured
        case "continued":
            return entry.continued.config
        case _:
            return entry.created.config


class Passing(Element, component="passing.js"):
    """Time scale, freeze and go on, minutes at once, reset."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._props["paces"] = [{"name": name, "scale": scale} for name, scale in PACES]
        self._props["leaps"] = [{"name": name, "minutes": minutes} for name, minutes in LEAPS]
        self._props["scale"] = -1.0
        self._show(desk.latest)
        desk.on_moment(self._show)
        self.on("scaled", self._scaled)
        self.on("gone_on", self._gone_on)
        self.on("skipped", self._skipped)
        self.on("reset", self._reset)

    def _show(self, moment: Moment) -> None:
        scale = moment.config.dynamics.time_scale
        if scale != self._props["scale"]:
            self._props["scale"] = scale

    async def _scaled(self, given: GenericEventArguments) -> None:
        await self._pass_at(given.args)

    async def _gone_on(self, _: GenericEventArguments) -> None:
        await self._pass_at(moving_scale(self._desk.entries))

    async def _pass_at(self, scale: float) -> None:
        desk = self._desk
        session = await desk.asked(reconfigured(desk.client, desk.session_id, lambda config: at_scale(config, scale)))
        if session is not None:
            self._say("time stands still" if not scale else f"{scale:g} simulated minutes pass in a minute")

    async def _skipped(self, given: GenericEventArguments) -> None:
        desk, minutes = self._desk, given.args
        if await desk.asked(desk.client.skip(desk.session_id, minutes)) is not None:
            self._say(f"{minutes:g} simulated minutes passed at once")

    async def _reset(self, _: GenericEventArguments) -> None:
        desk = self._desk
        if await desk.asked(desk.client.reset_session(desk.session_id)) is not None:
            self._say("back at the baseline; the log keeps what went before")

    def _say(self, words: str) -> None:
        self.run_method("said", words)
