"""The editor of a session's configuration: checked by the service as one types, foretold, saved, kept in files."""

from pathlib import Path
from typing import Final

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from emotional_ai.errors import EmotionalAIError, InvalidArgument
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.hub import Moment
from emotional_ai.web.page import lines
from emotional_ai.web.page.desk import Desk, notice
from emotional_ai.web.page.touch import published
from emotional_ai.web.page.touch.checking import Verdict, preview, verdict
from emotional_ai.web.page.touch.form import PRESETS, TRAITS, Form, config_of, form_of, holes, read, written
from emotional_ai.web.page.touch.replacing import REPLACED, alike, instead_of, reconfigured

EMPTY: Final = "needs a number"


FIELDS: Final = {"emotional-ai-fields": str(Path(__file__).parent / "browser")}


class Personality(Element, component="personality.js", esm=FIELDS | lines.ESM):
    """The form keeps what is typed; this answers it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._base = self._last = desk.latest.config
        self._version = desk.latest.state.version
        self._asked = 0
        self._saving = False
        self._props["names"] = list(CHEMICALS)
        self._props["traits"] = list(TRAITS)
        self._props["presets"] = {name: dict(zip(TRAITS, of, strict=True)) for name, of in PRESETS.items()}
        self._props["published"] = form_of(published.everything())
        self._props["began"] = form_of(self._base)
        desk.on_moment(self._seen)
        self.on("opened", self._began)
        self.on("edited", self._edited)
        self.on("save", self._save)
        self.on("taken", self._taken)
        self.on("kept", self._kept)
        self.on("to_file", self._to_file)
        self.on("from_file", self._from_file)

    def _seen(self, moment: Moment) -> None:
        """Tells the form once of a configuration that is neither what it began with nor what it saved."""
        if moment.config is self._last or moment.state.version < self._version or self._saving:
            return
        self._last = moment.config
        if not alike(moment.config, self._base):
            self.run_method("elsewhere")

    async def _began(self, _: GenericEventArguments) -> None:
        """Shows how the configuration in force feels, once the editor is opened."""
        await self._foretell(self._base.dynamics)

    async def _edited(self, given: GenericEventArguments) -> None:
        """Answers what was typed last; answers overtaken by more typing are dropped."""
        number, form = given.args
        self._asked = number
        empty = dict.fromkeys(holes(form), EMPTY)
        if empty:
            self.run_method("judged", number, empty, {})
        elif (judged := await self._desk.asked(self._judged(form))) is None:
            self.run_method("unjudged", number)
        elif number == self._asked:
            config, said = judged
            self.run_method("judged", number, dict(said.faults), dict(said.rest))
            if not said.faults:
                await self._foretell(config.dynamics)

    async def _judged(self, form: Form) -> tuple[pb.SessionConfig, Verdict]:
        config = config_of(form)
        return config, await verdict(self._desk.client, config)

    async def _foretell(self, edited: pb.DynamicsConfig) -> None:
        number = self._asked
        told = await self._desk.asked(preview(self._desk.client, edited, self._base.dynamics))
        if told is not None and number == self._asked:
            self.run_method("foretold", told)

    async def _save(self, given: GenericEventArguments) -> None:
        number, form = given.args
        desk = self._desk
        self._saving = True
        try:
            change = instead_of(self._base, config_of(form))
            session = await reconfigured(desk.client, desk.session_id, change)
        except EmotionalAIError as error:
            if error.reason == REPLACED:
                self.run_method("elsewhere")
            else:
                notice(error)
        else:
            self._based_on(session)
            self.run_method("saved", number, form_of(session.config))
        finally:
            self._saving = False

    async def _taken(self, given: GenericEventArguments) -> None:
        """Begins anew with what is in force."""
        session = await self._desk.asked(self._desk.client.get_session(self._desk.session_id))
        if session is not None:
            self._based_on(session)
            self.run_method("took", given.args, form_of(session.config))
            await self._foretell(session.config.dynamics)

    async def _kept(self, _: GenericEventArguments) -> None:
        """Takes note of what is in force; saving goes over it."""
        session = await self._desk.asked(self._desk.client.get_session(self._desk.session_id))
        if session is not None:
            self._based_on(session)
            self.run_method("rebase", form_of(session.config))

    def _based_on(self, session: pb.Session) -> None:
        self._base, self._version = session.config, session.state.version

    async def _to_file(self, given: GenericEventArguments) -> None:
        config = await self._desk.asked(_parsed(given.args))
        if config is not None:
            ui.download.content(written(config), f"{self._desk.session_id}.config.json", "application/json")

    def _from_file(self, given: GenericEventArguments) -> None:
        try:
            config = read(given.args)
        except InvalidArgument as error:
            notice(error)
        else:
            self.run_method("load", form_of(config))


async def _parsed(form: Form) -> pb.SessionConfig:
    return config_of(form)
