"""A real service on the loopback interface, for tests: in this process on a loop of its own, or in a process of its own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emotional_ai_service.server import serving
from emotional_ai_service.settings import Settings, StoreKind, StoreSettings

IN_MEMORY = Settings(port=0, store=StoreSettings(StoreKind.MEMORY))
PATIENCE = 60.0
"""Seconds a test waits for what must come."""


@contextmanager
def service(settings: Settings = IN_MEMORY) -> Iterator[str]:
    """Serves in a thread of this process; yields host:port. What goes wrong while it starts is raised here."""
    ready, stop = threading.Event(), asyncio.Event()
    address: list[str] = []
    failure: list[BaseException] = []
    loop = asyncio.new_event_loop()

    async def live() -> None:
        async with serving(settings) as running:
            address.append(running.address)
            ready.set()
            await stop.wait()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(live())
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE), "the service did not start"
    if failure:
        thread.join(PATIENCE)
        raise failure[0]
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
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


@contextmanager
def service_process(*flags: str, port: int = 0, db: Path | None = None) -> Iterator[Served]:
    """`emotional-ai serve` as a user starts it, killed at the end if it still runs."""
    where = ("--store", "memory") if db is None else ("--db", str(db))
    command = (sys.executable, "-m", "emotional_ai", "serve", "--port", str(port), *where, *flags)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
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
