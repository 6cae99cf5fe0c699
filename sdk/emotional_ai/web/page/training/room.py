"""Trainings: the form that starts one, the list of all, and one of them watched as it goes."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import ClassVar, Final

from nicegui import ui
from nicegui.elements import echart  # noqa: F401  # offers the module that the curves are drawn with
from nicegui.events import GenericEventArguments

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import EmotionalAIError, RequestRejected, Violation
from emotional_ai.training_job import UNDER_WAY
from emotional_ai.v1 import training_pb2 as pb
from emotional_ai.web.page import colours
from emotional_ai.web.page.kept import STYLE, Kept
from emotional_ai.web.page.training import form, reports
from emotional_ai.web.page.training.watched import News, Watched

LOOK: Final = Path(__file__).parent / "training.css"
STAGES: Final = ("#CC79A7", "#0072B2", "#F0E442")
"""Colours of stages that train no state: those no adapter has."""


def training(client: AsyncClient) -> None:
    """Shows the room."""
    ui.add_css(STYLE)
    ui.add_css(LOOK)
    ui.label("Training").classes("room-title").props("role=heading aria-level=1")
    Training(client)


class Training(Kept, component="training.js", esm={"emotional-ai-training": "browser"}):
    """The browser keeps the reports of the job it shows, and is sent those that are new."""

    SECONDS: ClassVar[float] = 3.0
    PAGE: ClassVar[int] = 50
    """Jobs listed at first, and more at each wish."""

    def __init__(self, client: AsyncClient) -> None:
        super().__init__()
        self._service = client
        self._most = self.PAGE
        self._jobs: dict[str, pb.Job] = {}
        self._watched: Watched | None = None
        self._props["recipes"] = [{"name": name, "means": means} for name, means in form.MEANINGS.items()]
        self._props["ranks"] = [{"name": rank, "usual": rank == form.DEFAULT_RANK} for rank in form.RANKS]
        self._props["fields"] = [{"name": one.name, "title": one.title, "allowed": one.allowed} for one in form.FIELDS]
        self._props["colours"] = colours.PROTOTYPES
        self._props["others"] = list(STAGES)
        self.on("chosen", self._chosen)
        self.on("more", self._more)
        self.on("started", self._started)
        self.on("stopped", self._stopped)
        self.on("resumed", self._resumed)

    async def refresh(self) -> None:
        """Lists the newest jobs, and sees that the one that is shown is watched while it goes."""
        found = await self._newest()
        self._jobs = {one.job_id: one for one in found}
        self.show("list", {"jobs": [reports.job(one) for one in found[: self._most]], "more": len(found) > self._most})
        if self._watched is not None:
            await self._look_at(self._watched)

    def leave(self) -> None:
        """Nobody looks any more."""
        super().leave()
        if self._watched is not None:
            self._watched.pause()

    async def _newest(self) -> list[pb.Job]:
        """One more than is shown, if there is one more."""
        found: list[pb.Job] = []
        page = min(self._most + 1, 1000)
        async with aclosing(self._service.list_jobs(page_size=page)) as jobs:  # type: ignore[type-var]
            async for one in jobs:
                found.append(one)
                if len(found) > self._most:
                    break
        return found

    async def _look_at(self, watched: Watched) -> None:
        """Tells how a job stands, and has it watched if there is, or will be, more of it."""
        try:
            job = self._jobs.get(watched.job_id) or await self._service.get_job(watched.job_id)
        except RequestRejected as error:
            self.show("missing", {"id": watched.job_id, "words": str(error)})
            return
        if watched is not self._watched:
            return
        self.show("describe", reports.details(job))
        if self.looked_at and (job.status in UNDER_WAY or job.progress.sequence > watched.seen):
            watched.go_on()

    async def _chosen(self, event: GenericEventArguments) -> None:
        if self._watched is not None:
            self._watched.pause()
        self._watched = Watched(self._service, str(event.args), self._add, self._ended)
        self.forget("describe", "missing")
        await self.asked(self._look_at(self._watched))

    def _add(self, news: News) -> None:
        self.run_method("add", news)

    def _ended(self, why: EmotionalAIError | None) -> None:
        if why is None and self.looked_at:
            self.look()

    def _more(self) -> None:
        self._most += self.PAGE
        self.look()

    async def _started(self, event: GenericEventArguments) -> None:
        """Starts a job, or says under each field why not."""
        order = form.order({str(name): str(text) for name, text in dict(event.args).items()})
        if not isinstance(order, form.Order):
            self._refuse(order)
            return
        try:
            job = await self._service.start_job(order.recipe, config=order.config, max_cost_usd=order.max_cost_usd)
        except EmotionalAIError as error:
            self._refuse(error.violations, str(error))
            return
        self.run_method("begun", job.job_id)
        self.look()

    def _refuse(self, violations: Sequence[Violation], words: str = "") -> None:
        said = form.by_field(violations)
        known = {name: text for name, text in said.items() if name in form.NAMES}
        self.run_method("refused", {"fields": known, "words": "" if known and known == said else words})

    async def _stopped(self, event: GenericEventArguments) -> None:
        job = await self.asked(self._service.cancel_job(str(event.args)))
        if job is not None:
            ended = job.status == pb.JOB_STATUS_CANCELLED
            self.run_method("told", f"{job.job_id} is cancelled." if ended else f"{job.job_id} stops at its next step.")
        self.look()

    async def _resumed(self, event: GenericEventArguments) -> None:
        try:
            cost = form.cost(str(event.args["cost"]))
        except ValueError as error:
            self.run_method("told", f"The largest cost {error}.")
            return
        job = await self.asked(self._service.training_job(str(event.args["id"])).resume(max_cost_usd=cost))
        if job is not None:
            self.run_method("told", f"{job.job_id} goes on.")
        self.look()
