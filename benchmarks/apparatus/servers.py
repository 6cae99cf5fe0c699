"""Servers to measure, each in a process of its own on one core; the caller keeps to another.

with service("memory") as server: ...     the service, as `emotional-ai serve` runs it
with echo() as server: ...                the bare echo
with web(target) as page: ...             the page, as `emotional-ai web` runs it, on any core
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from apparatus import processes

SERVER_CORE: Final = min(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up."""

    address: str
    """host:port; of the page its URL."""
    process: "subprocess.Popen[str]" = field(repr=False)

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far: unlike wall time, little disturbed by what else the machine does."""
        return processes.cpu_seconds(self.process.pid)

    def resident_bytes(self) -> int:
        """Its resident memory."""
        return processes.resident_bytes(self.process.pid)


def keep_off_the_server() -> None:
    """Confines this process, and load generators it starts, to the cores that no server runs on."""
    others = os.sched_getaffinity(0) - {SERVER_CORE}
    if not others:
        raise SystemExit("this benchmark needs two cores: one for the server, one for what asks it")
    os.sched_setaffinity(0, others)


@contextmanager
def service(
    store: str, path: Path | None = None, *, language: bool = False, pinned: bool = True, flags: Sequence[str] = ()
) -> Iterator[Server]:
    """The service over a store of that kind, `memory` or `sqlite` in the file `path`; with the pulled model if `language`.

    `flags` go to `serve` beside.
    """
    command = [sys.executable, "-m", "emotional_ai", "serve", "--port", "0", "--store", store]
    if path is not None:
        command += ["--db", str(path)]
    if not language:
        command += ["--engine-only"]
    command += flags
    with _started(command, pinned=pinned) as server:
        yield server


@contextmanager
def echo() -> Iterator[Server]:
    """The bare echo of `echo.py`."""
    with _started([sys.executable, str(Path(__file__).with_name("echo.py"))], pinned=True) as server:
        yield server


@contextmanager
def web(target: str) -> Iterator[Server]:
    """The page in front of the service at `target`, which there need not be."""
    with _started(
        [sys.executable, "-m", "emotional_ai", "web", "--target", target, "--port", "0"], pinned=False
    ) as page:
        yield page


@contextmanager
def _started(command: Sequence[str], *, pinned: bool) -> Iterator[Server]:
    """Starts a server, on its core where `pinned`; for a child inherits where it may run."""
    own = os.sched_getaffinity(0)
    if pinned:
        os.sched_setaffinity(0, {SERVER_CORE})
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    finally:
        os.sched_setaffinity(0, own)
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise SystemExit(f"the server did not start: {' '.join(command)}")
            yield Server(line.removeprefix("ready ").strip(), process)
        finally:
            process.terminate()
