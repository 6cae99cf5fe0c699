"""Composition: settings in, a running gRPC server out.

    async with serving(settings) as server: ...      for tests and programs
    asyncio.run(run(settings))                       until SIGTERM or SIGINT

On shutdown health turns NOT_SERVING, every stream says goodbye with what it takes to resume, calls finish, and the store is
flushed.
"""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from emotional_ai.v1 import (
    engine_pb2,
    engine_pb2_grpc,
    inference_pb2,
    inference_pb2_grpc,
    training_pb2,
    training_pb2_grpc,
)
from emotional_ai_service.access import REFLECTION, Reflection, entrance, server_credentials
from emotional_ai_service.guard import guard
from emotional_ai_service.jobs import training_jobs
from emotional_ai_service.language import speaking
from emotional_ai_service.malformed import readable
from emotional_ai_service.observing.observation import Inside, observed
from emotional_ai_service.retention import retaining
from emotional_ai_service.room import Room
from emotional_ai_service.safeguard import Oversight, Rules
from emotional_ai_service.servicers import EmotionEngineServicer, InferenceServicer, TrainingServicer
from emotional_ai_service.settings import Settings, StoreKind, StoreSettings
from emotional_ai_service.stores import MemoryStore, SqliteStore, Store, TransientStore
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.tenants.accounts import Accounts
from emotional_ai_service.tenants.audit import auditing
from emotional_ai_service.tenants.meters import metering
from emotional_ai_service.validation import check
from emotional_ai_training.adapters import Registry

ENGINE: Final = engine_pb2.DESCRIPTOR.services_by_name["EmotionEngine"]
INFERENCE: Final = inference_pb2.DESCRIPTOR.services_by_name["Inference"]
TRAINING: Final = training_pb2.DESCRIPTOR.services_by_name["Training"]


class AddressInUse(OSError):
    """The address to serve on is taken."""


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
        gate = await stack.enter_async_context(entrance(settings.host, settings.access, clock))
        observation = await stack.enter_async_context(observed(settings.observing))
        stored = observation.store(await open_store(settings.store))
        store = TransientStore(stored, settings.privacy.transient_sessions)
        stack.push_async_callback(store.close)
        _ask_for_port(settings)  # First, so that a taken port is told before models are loaded.
        # Before the gRPC server, which would comment on every process that is started beside it.
        adapters = Registry(settings.jobs.loras_dir)
        speaks = speaking(settings.language, adapters, observation) if settings.language else None
        language = await stack.enter_async_context(speaks) if speaks else None
        meters = await stack.enter_async_context(metering(settings.limits, clock)) if settings.limits else None
        allow = (lambda: meters.mine().job) if meters else None
        jobs = await stack.enter_async_context(training_jobs(settings.jobs, clock, allow))
        server = _server(settings)
        port = _bind(server, settings)
        audit = await stack.enter_async_context(auditing(settings.audit, clock)) if settings.audit else None
        engines = Engines(store, clock, Room(settings.live_sessions), meters.sessions if meters else None)
        accounts = Accounts(engines, meters, audit)
        await stack.enter_async_context(retaining(engines, settings.privacy.keep_us))
        drain = Drain(observation.lag)
        engine_pb2_grpc.add_EmotionEngineServicer_to_server(
            observation.around(
                guard(*accounts.around(EmotionEngineServicer(engines, drain), ENGINE, check), gate), ENGINE
            ),
            readable(server),
        )
        oversight = Oversight(clock, Rules(settings.safety.rules), settings.safety.notice)
        inference = InferenceServicer(engines, language, adapters, oversight)
        inference_pb2_grpc.add_InferenceServicer_to_server(
            observation.around(guard(*accounts.around(inference, INFERENCE, check), gate), INFERENCE), readable(server)
        )
        training = TrainingServicer(jobs, settings.jobs)
        training_pb2_grpc.add_TrainingServicer_to_server(
            observation.around(guard(*accounts.around(training, TRAINING, check), gate), TRAINING), readable(server)
        )
        names = [service.full_name for service in (ENGINE, INFERENCE, TRAINING)]
        vitals = health.aio.HealthServicer()  # type: ignore[attr-defined]  # not in grpc-stubs
        health_pb2_grpc.add_HealthServicer_to_server(vitals, server)
        told = Reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME))
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
            guard(told, REFLECTION, check, gate), readable(server)
        )
        inside = Inside(engines.room, drain, language, settings.jobs.jobs_dir)
        metrics = await stack.enter_async_context(observation.told(inside))
        await server.start()
        served = {
            "": True,
            ENGINE.full_name: True,
            INFERENCE.full_name: language is not None,
            TRAINING.full_name: True,
        }
        for name, serves in served.items():
            health_now = (
                health_pb2.HealthCheckResponse.SERVING if serves else health_pb2.HealthCheckResponse.NOT_SERVING
            )
            await vitals.set(name, health_now)

        def begin_drain() -> None:
            drain.begin()
            jobs.drain()

        try:
            yield Running(f"{settings.host}:{port}", begin_drain, metrics)
        finally:
            await vitals.enter_graceful_shutdown()
            begin_drain()
            await drain.over(settings.drain_seconds)
            await server.stop(settings.drain_seconds)


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
        threading.Thread(target=_outlive, args=(parent, loop, stop), daemon=True).start()
    async with serving(settings) as running:
        starting = None
        ready(running)
        await stopped.wait()


def _outlive(parent: BinaryIO, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    while os.read(parent.fileno(), 4096):  # Not through its buffer, whose lock this thread would hold as Python ends.
        pass
    with contextlib.suppress(RuntimeError):  # The loop may have ended by itself.
        loop.call_soon_threadsafe(stop)


async def open_store(settings: StoreSettings) -> Store:
    """The store the settings name. Raises StoreUnusable, naming the file or server, where it cannot serve."""
    match settings.kind:
        case StoreKind.MEMORY:
            return MemoryStore()
        case StoreKind.SQLITE:
            return await SqliteStore.open(settings.path, settings.durability)
        case StoreKind.REDIS:
            from emotional_ai_service.stores.redis import RedisStore  # of an extra

            return await RedisStore.open(settings.redis, volatile=settings.redis_volatile)


def _server(settings: Settings) -> grpc.aio.Server:
    return grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", settings.max_request_bytes),
            ("grpc.max_send_message_length", settings.max_response_bytes),
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ),
    )


def _ask_for_port(settings: Settings) -> None:
    """Raises AddressInUse where the address cannot be listened on; gRPC would print lines of its own above our message."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host.strip("[]"), settings.port), family=family).close()
    except OSError as error:
        raise _address_in_use(settings) from error


def _bind(server: grpc.aio.Server, settings: Settings) -> int:
    where, tls = f"{settings.host}:{settings.port}", settings.access.tls
    credentials = None if tls is None else server_credentials(tls)
    try:
        return server.add_insecure_port(where) if credentials is None else server.add_secure_port(where, credentials)
    except RuntimeError as error:
        raise _address_in_use(settings) from error


def _address_in_use(settings: Settings) -> AddressInUse:
    return AddressInUse(
        f"cannot listen on {settings.host}:{settings.port}. Another service may be using the port, or the address is not one "
        "of this machine; choose another with --port or --host"
    )
