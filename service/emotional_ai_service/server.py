"""Composition: settings in, a running gRPC server out.

    async with serving(settings) as server: ...      for tests and programs
    asyncio.run(run(settings))                       until SIGTERM or SIGINT

On shutdown health turns NOT_SERVING, every stream says goodbye with what it takes to resume, calls finish, and the store is
flushed.
"""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from emotional_ai.parent import end_with
from emotional_ai.v1 import (
    engine_pb2,
    engine_pb2_grpc,
    inference_pb2,
    inference_pb2_grpc,
    training_pb2,
    training_pb2_grpc,
)
from emotional_ai_service.access import REFLECTION, Reflection, entrance
from emotional_ai_service.edge import Edge
from emotional_ai_service.guard import guard
from emotional_ai_service.jobs import training_jobs
from emotional_ai_service.language import speaking
from emotional_ai_service.listening import bind, check_free, new_server
from emotional_ai_service.malformed import readable
from emotional_ai_service.observing.observation import Inside, observed
from emotional_ai_service.retention import retaining
from emotional_ai_service.room import Room
from emotional_ai_service.safeguard import Oversight, Rules
from emotional_ai_service.servicers import EmotionEngineServicer, InferenceServicer, TrainingServicer
from emotional_ai_service.settings import Settings
from emotional_ai_service.storing import storing
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.tenants.accounts import Accounts
from emotional_ai_service.tenants.audit import auditing
from emotional_ai_service.tenants.meters import metering
from emotional_ai_service.validation import check
from emotional_ai_service.vitals import HEALTH, Vitals
from emotional_ai_training.adapters import Registry

ENGINE: Final = engine_pb2.DESCRIPTOR.services_by_name["EmotionEngine"]
INFERENCE: Final = inference_pb2.DESCRIPTOR.services_by_name["Inference"]
TRAINING: Final = training_pb2.DESCRIPTOR.services_by_name["Training"]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up."""

    address: str
    """host:port clients connect to."""
    drain: Callable[[], None]
    """Begins the shutdown: streams say goodbye."""
    metrics: str = ""
    """URL of its metrics; empty where none are served."""


def wall_clock() -> int:
    """Wall microseconds since the epoch."""
    return time.time_ns() // 1000


@asynccontextmanager
async def serving(settings: Settings, clock: Callable[[], int] = wall_clock) -> AsyncIterator[Running]:
    """Serves until the context ends, then drains.

    Raises AddressInUse, StoreUnusable for a store that cannot be opened, AccessUnusable for tokens or a certificate, or
    TenantsUnusable for limits or the audit log.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        gate = await enter(entrance(settings.host, settings.access, clock))
        observation = await enter(observed(settings.observing))
        store = await enter(storing(settings, observation.store))
        check_free(settings)  # Here, so that a taken port is told before models are loaded.
        # Before the gRPC server, which would comment on every process that is started beside it.
        adapters = Registry(settings.jobs.loras_dir)
        language = await enter(speaking(settings.language, adapters, observation)) if settings.language else None
        meters = await enter(metering(settings.limits, clock)) if settings.limits else None
        jobs = await enter(training_jobs(settings.jobs, clock, (lambda: meters.mine().job) if meters else None))
        server = new_server(settings)
        port = bind(server, settings)
        audit = await enter(auditing(settings.audit, clock)) if settings.audit else None
        engines = Engines(store, clock, Room(settings.live_sessions), meters.sessions if meters else None)
        await enter(retaining(engines, settings.privacy.keep_us))
        drain = Drain(observation.lag)
        oversight = Oversight(clock, Rules(settings.safety.rules), settings.safety.notice)
        _register(
            server,
            Edge(observation, gate, Accounts(engines, meters, audit)),
            EmotionEngineServicer(engines, drain),
            InferenceServicer(engines, language, adapters, oversight),
            TrainingServicer(jobs, settings.jobs),
        )
        vitals = Vitals(server)
        metrics = await enter(observation.told(Inside(engines.room, drain, language, settings.jobs.jobs_dir)))
        await server.start()
        serves = {"": True, ENGINE.full_name: True, INFERENCE.full_name: language is not None, TRAINING.full_name: True}
        await vitals.tell(serves)

        def begin_drain() -> None:
            drain.begin()
            jobs.drain()

        try:
            yield Running(f"{settings.host}:{port}", begin_drain, metrics)
        finally:
            await vitals.end()
            begin_drain()
            await drain.over(settings.drain_seconds)
            await server.stop(settings.drain_seconds)


def _register(
    server: grpc.aio.Server,
    edge: Edge,
    engine: EmotionEngineServicer,
    inference: InferenceServicer,
    training: TrainingServicer,
) -> None:
    """Has the server answer the three services of the contract, and reflection, which tells of them."""
    read = readable(server)
    engine_pb2_grpc.add_EmotionEngineServicer_to_server(edge.around(engine, ENGINE), read)
    inference_pb2_grpc.add_InferenceServicer_to_server(edge.around(inference, INFERENCE), read)
    training_pb2_grpc.add_TrainingServicer_to_server(edge.around(training, TRAINING), read)
    names = [service.full_name for service in (ENGINE, INFERENCE, TRAINING)]
    told = Reflection((*names, HEALTH, reflection.SERVICE_NAME))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(guard(told, REFLECTION, check, edge.gate), read)


async def run(
    settings: Settings, ready: Callable[[Running], None] = lambda _: None, parent: BinaryIO | None = None
) -> None:
    """Serves until SIGTERM or SIGINT, or until `parent`, a pipe held by another process, ends.

    Calls `ready` once calls are taken; told to stop before, it raises CancelledError.
    """
    stopped = asyncio.Event()
    loop, starting = asyncio.get_running_loop(), asyncio.current_task()

    def stop() -> None:
        stopped.set()
        if starting is not None:
            starting.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if parent is not None:
        end_with(parent, stop)
    async with serving(settings) as running:
        starting = None
        # What is there by now stays to the end; looked through at every full collection, it takes a batch a fifth of its time.
        gc.collect()
        gc.freeze()
        ready(running)
        await stopped.wait()
