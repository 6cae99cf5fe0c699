"""How busy a service is: from the processes that work, through the contract, to those who ask."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from command_line import CommandLine
from loopback import PATIENCE, service, service_process
from mcp_bridge import answer, in_memory
from ports import nowhere
from tiny_decoding import tiny_scheduler
from tiny_replies import GREEDY, ask
from tiny_training import roomy_model

from emotional_ai import AsyncClient, Chemistry, FailedPrecondition, Sampling
from emotional_ai.connection import start_command
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai_service.workers import Load, Worker, WorkerSpec, WorkerUnavailable

SUPPORT = Path(__file__).parent.parent / "support"
LONG = Sampling(seed=1, max_tokens=200)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose decoder speaks one reply at a time."""
    model = roomy_model(tmp_path_factory.mktemp("busy") / "model")
    flags = ("--model", str(model), "--runtime", "torch", "--max-replies", "1", "--loras", str(model.parent / "loras"))
    with service_process(*flags) as served:
        yield served.address


@pytest.fixture
async def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Worker[object, object]]:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    spec = WorkerSpec("counter", "worker_targets:counting", str(tmp_path / "journal"), capacity=12)
    async with Worker[object, object](spec) as worker:
        yield worker


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await so():  # noqa: ASYNC110  # the state of other processes, which sets no event
            await asyncio.sleep(0.005)


async def load_becomes(worker: Worker[object, object], load: Load) -> None:
    async def so() -> bool:
        return worker.load == load

    await until(so)


async def comes_back(worker: Worker[object, object]) -> None:
    async def so() -> bool:
        return worker.ready

    await until(so)


async def test_a_process_tells_what_runs_and_waits_and_that_all_was_given_up(worker: Worker[object, object]) -> None:
    async def listened() -> None:
        async with aclosing(worker.request(-1)) as endless:
            async for _ in endless:
                pass

    assert worker.load == Load()
    listeners = [asyncio.create_task(listened()) for _ in range(10)]
    await load_becomes(worker, Load(running=8, waiting=2, capacity=8))
    for listener in listeners:
        listener.cancel()
    await asyncio.wait(listeners)
    await load_becomes(worker, Load(capacity=8))


async def test_nothing_is_under_way_in_a_process_that_died(worker: Worker[object, object]) -> None:
    async with aclosing(worker.request(-1)) as endless:
        await anext(endless)
        await load_becomes(worker, Load(running=1, capacity=8))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerUnavailable):
            async for _ in endless:
                pass
        assert worker.load == Load()
    await comes_back(worker)


def test_a_scheduler_counts_those_who_speak_and_those_who_wait(tmp_path: Path) -> None:
    scheduler = tiny_scheduler(tmp_path, active=2)
    assert scheduler.load() == Load(capacity=2)
    for ticket in range(5):
        scheduler.begin(ticket, ask(sampling=GREEDY, max_tokens=4))
    assert scheduler.load() == Load(waiting=5, capacity=2)
    scheduler.step()
    assert scheduler.load() == Load(running=2, waiting=3, capacity=2)
    while scheduler.busy():
        scheduler.step()
    assert scheduler.load() == Load(capacity=2)


async def test_replies_under_way_those_that_wait_and_texts_are_counted_by_the_service(address: str) -> None:
    seen = asyncio.Event()
    async with AsyncClient(address) as client:

        async def spoken() -> None:
            while not seen.is_set():
                async with client.generate("the sea", under=Chemistry(), sampling=LONG) as reply:
                    await reply.read()

        async def queued() -> bool:
            load = await client.get_load()
            return load.running == 1 and load.waiting >= 2

        async def quiet() -> bool:
            load = await client.get_load()
            return load.running == load.waiting == 0

        before = await client.get_load()
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(spoken())
            await until(queued)
            seen.set()
        await until(quiet)
        found = await client.appraise(["I lost my job today", "The meeting is at ten."])
        after = await client.get_load()
    assert after.capacity == 1
    assert after.appraised - before.appraised == 2
    assert after.classified - before.classified == sum(one.classified for one in found)


async def test_without_language_there_is_no_load() -> None:
    with service() as engine_only:
        async with AsyncClient(engine_only) as client:
            with pytest.raises(FailedPrecondition, match="--engine-only"):
                await client.get_load()
        assert CommandLine(engine_only)("status", "--json").objects == [{"language": "off"}]
        assert "--engine-only" in CommandLine(engine_only)("status").out


async def test_the_command_line_and_the_bridge_say_how_busy_it_is(address: str) -> None:
    ran = CommandLine(address)("status")
    assert ran.status == 0
    language, replies, texts = ran.out.splitlines()
    assert language.split() == ["language", "ready:", "model,", "local,", "float32"]
    assert replies == "replies   0 being decoded, 0 waiting (1 fit together)"
    assert texts.startswith("texts     ")
    (told,) = CommandLine(address)("status", "--json").objects
    assert (told["language"], told["running"], told["waiting"], told["capacity"]) == ("ready", 0, 0, 1)
    async with in_memory(Settings(address)) as client:
        status = answer(await client.call_tool("engine_status", {}))
    assert status["load"] == "0 being decoded, 0 waiting (1 fit together)"


def test_status_where_nobody_answers_says_how_to_start_a_service() -> None:
    address = nowhere()
    ran = CommandLine(address)("status")
    assert ran.status == 1
    assert start_command(address) in ran.err
