"""A real service on the loopback interface, for tests: in this process on a loop of its own, or in a process of its own.

service           serves; all most tests need
hosted            the same, to be stopped while its streams are open
hosted_engine     the emotion engine alone, over a store of the test's, open to inspection
service_process   `emotional-ai serve` in a process of its own
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc

from emotional_ai.v1 import engine_pb2_grpc
from emotional_ai_service.engine import Engine
from emotional_ai_service.guard import guard
from emotional_ai_service.server import ENGINE, serving, wall_clock
from emotional_ai_service.servicers import EmotionEngineServicer
from emotional_ai_service.settings import Settings, StoreKind, StoreSettings
from emotional_ai_service.stores import Store
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.validation import check

IN_MEMORY = Settings(port=0, store=StoreSettings(StoreKind.MEMORY))
PATIENCE = 60.0
"""Seconds a test waits for what must come."""

Clock = Callable[[], int]
T = TypeVar("T")


def in_file(path: Path) -> Settings:
    """Settings of a service whose sessions are kept in the file at `path`."""
    return Settings(port=0, store=StoreSettings(StoreKind.SQLITE, path))


@contextmanager
def service(settings: Settings = IN_MEMORY, clock: Clock = wall_clock) -> Iterator[str]:
    """Serves in a thread of this process; yields host:port. What goes wrong while it starts is raised here."""
    with hosted(settings, clock) as running:
        yield running.address


@dataclass(frozen=True, slots=True)
class Hosted:
    """A service in a thread of this process."""

    address: str
    stop: Callable[[], None]
    """Begins the shutdown, and returns at once."""
    end: Callable[[], None]
    """Shuts down, and returns once nothing is left."""
    metrics: str = ""
    """URL of its metrics; empty where none are served."""


@contextmanager
def hosted(settings: Settings = IN_MEMORY, clock: Clock = wall_clock) -> Iterator[Hosted]:
    """As `service`; yields what else a test may need of it."""
    with _in_thread(lambda: serving(settings, clock)) as (running, _, stop, end):
        yield Hosted(running.address, stop, end, running.metrics)


@dataclass(frozen=True, slots=True)
class HostedEngine:
    """An emotion engine served in a thread of this process."""

    address: str
    engine: Engine
    loop: asyncio.AbstractEventLoop

    def on_loop(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `question` comes to on the loop that owns the engine."""
        return asyncio.run_coroutine_threadsafe(question(), self.loop).result(PATIENCE)


@contextmanager
def hosted_engine(store: Callable[[], Store], clock: Clock = wall_clock) -> Iterator[HostedEngine]:
    """Serves an engine over what `store` makes on the engine's loop."""
    with _in_thread(lambda: _engine_served(store, clock)) as ((address, engine), loop, _, _):
        yield HostedEngine(address, engine, loop)


@asynccontextmanager
async def _engine_served(make: Callable[[], Store], clock: Clock) -> AsyncIterator[tuple[str, Engine]]:
    store, drain, server = make(), Drain(), grpc.aio.server()
    engines = Engines(store, clock)
    engine_pb2_grpc.add_EmotionEngineServicer_to_server(
        guard(EmotionEngineServicer(engines, drain), ENGINE, check), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", engines.mine()
    finally:
        drain.begin()
        await server.stop(5)
        await store.close()


@contextmanager
def _in_thread(
    live: Callable[[], AbstractAsyncContextManager[T]],
) -> Iterator[tuple[T, asyncio.AbstractEventLoop, Callable[[], None], Callable[[], None]]]:
    """Lives in a context on a loop of its own; yields its value, the loop, what begins its end and what waits for it."""
    ready, stop = threading.Event(), asyncio.Event()
    value: list[T] = []
    failure: list[BaseException] = []
    loop = asyncio.new_event_loop()

    async def lived() -> None:
        async with live() as living:
            value.append(living)
            ready.set()
            await stop.wait()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(lived())
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()
            loop.close()

    def begin_end() -> None:
        # A loop that was ended before is closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)

    def end() -> None:
        begin_end()
        thread.join(PATIENCE)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    # Those that load models may share the processors with others that do.
    assert ready.wait(3 * PATIENCE), "the service did not start"
    if failure:
        thread.join(PATIENCE)
        raise failure[0]
    try:
        yield value[0], loop, begin_end, end
    finally:
        end()
    if failure:
        raise failure[0]


@dataclass(frozen=True, slots=True)
class Served:
    """A service in its own process."""

    process: "subprocess.Popen[str]"
    address: str

    def kill(self) -> None:
        """kill -9."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


def serve_command(*flags: str, port: int = 0, db: Path | None = None) -> tuple[str, ...]:
    """`emotional-ai serve` as a user starts it; in memory where no file is named."""
    where = ("--store", "memory") if db is None else ("--db", str(db))
    return (sys.executable, "-m", "emotional_ai", "serve", "--port", str(port), *where, *flags)


@contextmanager
def service_process(*flags: str, port: int = 0, db: Path | None = None) -> Iterator[Served]:
    """A service in its own process, killed at the end if it still runs."""
    process = subprocess.Popen(
        serve_command(*flags, port=port, db=db),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError(f"the service did not start: {process.stderr.read()}")
        yield Served(process, line.removeprefix("ready ").strip())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
