"""A job watched for a page: its reports in order, a few at a time, taken up where they broke off."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Final, TypedDict

from nicegui import background_tasks

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import EmotionalAIError
from emotional_ai.web.page.training.reports import Report, report

GATHERED_SECONDS: Final = 0.2
"""How long reports are gathered before they are sent."""


class News(TypedDict):
    """Reports of a job that are new to the page."""

    id: str
    reports: list[Report]


class Watched:
    """One job. `told` gets what is new, never awaited; `ended` why nothing more comes, None if the job has ended."""

    def __init__(
        self,
        client: AsyncClient,
        job_id: str,
        told: Callable[[News], None],
        ended: Callable[[EmotionalAIError | None], None],
    ) -> None:
        self.job_id = job_id
        self._client = client
        self._told = told
        self._ended = ended
        self.seen = 0
        """Sequence of the last report taken in."""
        self._gathered: list[Report] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def go_on(self) -> None:
        """Watches from the last report that was told on, unless it does."""
        if self._task is None or self._task.done():
            self._task = background_tasks.create(self._watch(), name=f"watching job {self.job_id}")

    def pause(self) -> None:
        """Stops watching; what was gathered is told."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._tell()

    async def _watch(self) -> None:
        why: EmotionalAIError | None = None
        try:
            watching = self._client.watch_job(self.job_id, after_sequence=self.seen)
            async with watching as watch, aclosing(aiter(watch)) as news:  # type: ignore[type-var]
                async for piece in news:
                    if piece.progress.sequence > self.seen:
                        self._gather(report(piece.progress))
        except EmotionalAIError as error:
            why = error
        self._tell()
        self._ended(why)

    def _gather(self, one: Report) -> None:
        self.seen = one["sequence"]
        self._gathered.append(one)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHERED_SECONDS, self._tell)

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gathered:
            self._told(News(id=self.job_id, reports=self._gathered))
            self._gathered = []
