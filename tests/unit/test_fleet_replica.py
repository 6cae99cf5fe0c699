"""One process of a fleet, kept alive: what is started here is a command of the test's, not the service."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from emotional_ai_service.fleet.plan import Plan
from emotional_ai_service.fleet.replica import Replica

PATIENCE = 60.0
ENDS = "print('ready 127.0.0.1:7', flush=True)"
STAYS = "import sys; print('ready 127.0.0.1:7'); print('metrics http://x', flush=True); sys.stdin.read()"
NEVER_READY = "raise SystemExit(3)"


class Heard:
    """Lines in the order they came, and a way to wait for a number of them."""

    def __init__(self, wanted: int) -> None:
        self.lines: list[str] = []
        self._wanted = wanted
        self.enough = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) == self._wanted:
            self.enough.set()


class Logged(logging.Handler):
    """Passes messages of the log on."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard(record.getMessage())


@pytest.fixture
def logged() -> Iterator[Heard]:
    """The first three messages of the log."""
    heard, log = Heard(3), logging.getLogger("emotional_ai_service.fleet.replica")
    handler = Logged(heard)
    log.addHandler(handler)
    yield heard
    log.removeHandler(handler)


def replica(script: str, say: Callable[[str], None] = lambda _: None) -> Replica:
    """A replica that runs a script."""
    return Replica(Plan(0, (sys.executable, "-c", script), 0, frozenset(os.sched_getaffinity(0))), say)


@asynccontextmanager
async def kept(one: Replica) -> AsyncIterator[asyncio.Task[None]]:
    """Keeps a replica meanwhile."""
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(one.keep())
        try:
            yield task
        finally:
            await one.stop()
            task.cancel()
            await asyncio.wait([task])


async def test_a_process_that_dies_soon_is_started_again_later_each_time(logged: Heard) -> None:
    async with kept(replica(ENDS)):
        await logged.enough.wait()
    assert [line.rpartition("starts in ")[2] for line in logged.lines[:3]] == ["0.25 s", "0.5 s", "1 s"]
    assert "the worker at 127.0.0.1:7 ended with status 0" in logged.lines[0]


async def test_a_process_that_was_never_ready_is_given_up() -> None:
    async with kept(replica(NEVER_READY)) as task:
        await task


async def test_what_it_prints_is_passed_on_and_its_address_kept() -> None:
    said = Heard(1)
    one = replica(STAYS, said)
    async with kept(one):
        await one.ready.wait()
        await said.enough.wait()
    assert one.address == "127.0.0.1:7"
    assert said.lines == ["metrics http://x"]
    assert not one.ready.is_set()


async def test_a_renewed_process_is_another_and_its_end_is_no_failure(logged: Heard) -> None:
    said = Heard(1)
    one = replica(f"import os; print(f'pid {{os.getpid()}}', flush=True); {STAYS}", said)
    async with kept(one):
        await one.ready.wait()
        await one.renew()
        assert one.ready.is_set()
    assert len({line for line in said.lines if line.startswith("pid")}) == 2
    assert logged.lines == []
