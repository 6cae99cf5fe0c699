"""The parts behind the routes, put together: one engine, one compute thread, and what each kind of request needs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from emotional_ai_training.tinker_server.archive import Archive
from emotional_ai_training.tinker_server.compute import Compute
from emotional_ai_training.tinker_server.desk import Desk, wall_clock
from emotional_ai_training.tinker_server.engine import Engine
from emotional_ai_training.tinker_server.futures import Futures
from emotional_ai_training.tinker_server.sampling import Samplers
from emotional_ai_training.tinker_server.sessions import Sessions
from emotional_ai_training.tinker_server.settings import ServerSettings
from emotional_ai_training.tinker_server.training import Training

SWEEP_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 3600.0
"""A session whose client was not heard of for so long is ended."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes call."""

    settings: ServerSettings
    engine: Engine
    desk: Desk
    sessions: Sessions
    samplers: Samplers
    training: Training
    archive: Archive

    def end_session(self, session_id: str) -> None:
        """Drops what a session holds; its checkpoints stay."""
        self.samplers.drop(session_id)
        for run_id in self.sessions.finish(session_id):
            self.desk.forget(run_id)


@asynccontextmanager
async def serving(engine: Engine, settings: ServerSettings) -> AsyncIterator[Service]:
    """A service on the running event loop; its compute thread ends with it."""
    compute = Compute(lambda weights, asked: engine.sample(weights, asked, wall_clock()))
    desk = Desk(engine, compute, Futures(time.monotonic), settings.max_queue)
    sessions = Sessions(time.monotonic)
    samplers = Samplers(desk, sessions)
    training = Training(desk, sessions, samplers, settings.max_runs)
    archive = Archive(engine.store, wall_clock)
    service = Service(settings, engine, desk, sessions, samplers, training, archive)
    engine.store.tidy()
    compute.start()
    sweeper = asyncio.create_task(_sweep(service))
    try:
        yield service
    finally:
        sweeper.cancel()
        await asyncio.to_thread(compute.stop)


async def _sweep(service: Service) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        service.desk.fail_overdue()
        for session_id in service.sessions.silent(SILENT_SECONDS):
            service.end_session(session_id)
