"""A service that the bridge starts itself: one, whoever and however many ask; on this machine; and it outlives the bridge."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from loopback import PATIENCE, serve_command, service
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_bridge import ERAS, Era, answer, command, in_memory
from mcp_types import PromptReference
from ports import nowhere
from tiny_adapters import published

from emotional_ai import Client as Service
from emotional_ai.aio import AsyncClient
from emotional_ai.mcp_bridge.__main__ import main
from emotional_ai.mcp_bridge.autostart import Starter, log_file
from emotional_ai.mcp_bridge.engine import Engine
from emotional_ai.mcp_bridge.refusals import Refused
from emotional_ai.mcp_bridge.server import server
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai_training.models import cache_dir

Run = Callable[[str], tuple[str, ...]]
STARTED = re.compile(r"process (\d+)")


def engine_only(target: str) -> tuple[str, ...]:
    """A service that is up in a moment."""
    return serve_command("--engine-only", port=int(target.rpartition(":")[2]))


@dataclass(frozen=True, slots=True)
class Start:
    """Makes a bridge's way to a service that it may start."""

    folder: Path
    starters: list[Starter] = field(default_factory=list)
    """Those of the ways that were made, in order."""

    def __call__(self, target: str, run: Run = engine_only, log: str = "engine.log") -> Engine:
        self.starters.append(Starter(target, self.folder / log, run))
        return Engine(Settings(target, autostart=True), InMemorySubscriptionBus(), self.starters[-1])

    def kill(self) -> None:
        """Ends every service that was started."""
        for starter in self.starters:
            if starter.process is not None:
                starter.process.kill()
                starter.process.wait(PATIENCE)


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Start]:
    """What was started is killed in the end."""
    start = Start(tmp_path)
    yield start
    start.kill()


async def asked(engine: Engine) -> str:
    """A state read through the bridge."""
    return (await engine.in_session("", lambda client, named: client.get_session(named))).session_id


def launched(log: Path) -> int:
    """How many services were started that write to a log."""
    return log.read_text().count(" emotional_ai serve ")


async def test_the_first_call_starts_a_service_and_the_next_ones_use_it(bridge: Start, tmp_path: Path) -> None:
    engine = bridge(nowhere())
    async with asyncio.timeout(PATIENCE):
        assert await asked(engine) == "default"
        assert await asked(engine) == "default"
    await engine.close()
    assert launched(tmp_path / "engine.log") == 1


async def test_calls_at_the_same_moment_start_one_service_and_are_all_carried_out(
    bridge: Start, tmp_path: Path
) -> None:
    engine = bridge(nowhere())
    async with asyncio.timeout(PATIENCE):
        assert set(await asyncio.gather(*(asked(engine) for _ in range(20)))) == {"default"}
    await engine.close()
    assert launched(tmp_path / "engine.log") == 1


async def test_bridges_that_start_at_the_same_moment_start_one_service_that_serves_them_all(
    bridge: Start, tmp_path: Path
) -> None:
    target = nowhere()
    engines = [bridge(target) for _ in range(3)]
    async with asyncio.timeout(PATIENCE):
        assert set(await asyncio.gather(*(asked(one) for one in engines))) == {"default"}
    for one in engines:
        await one.close()
    assert launched(tmp_path / "engine.log") == 1


async def test_a_service_that_was_stopped_is_started_again(bridge: Start, tmp_path: Path) -> None:
    engine = bridge(nowhere())
    async with asyncio.timeout(PATIENCE):
        await asked(engine)
        bridge.kill()
        assert await asked(engine) == "default"
    await engine.close()
    assert launched(tmp_path / "engine.log") == 2


async def test_where_a_service_answers_none_is_started(bridge: Start, tmp_path: Path) -> None:
    with service() as address:
        engine = bridge(address)
        assert await asked(engine) == "default"
        await engine.close()
    assert not (tmp_path / "engine.log").exists()


async def test_a_service_that_ends_at_once_is_told_with_the_last_of_its_log(bridge: Start, tmp_path: Path) -> None:
    scripts = {"wordy": "print('no model is here'); raise SystemExit(3)", "mute": "raise SystemExit(3)"}
    for name in scripts:
        (tmp_path / name).mkdir()
        (tmp_path / name / "engine.log").write_text("an older one said this\n")
    engines = [
        bridge(nowhere(), lambda _, script=script: (sys.executable, "-c", script), f"{name}/engine.log")
        for name, script in scripts.items()
    ]
    wordy, mute = await asyncio.gather(*map(asked, engines), return_exceptions=True)
    for engine in engines:
        await engine.close()
    ended = "[UNAVAILABLE] the emotion engine was started and ended (status 3); "
    assert str(wordy) == f"{ended}{tmp_path / 'wordy' / 'engine.log'} says: no model is here"
    assert str(mute).startswith(f"{ended}{tmp_path / 'mute' / 'engine.log'} says: {sys.executable} -c ")


async def test_a_service_finds_the_adapters_that_lie_where_the_bridge_was_started(
    bridge: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path / "here" / "loras", "balanced")
    monkeypatch.chdir(tmp_path / "here")
    engine = bridge(nowhere())
    found = await engine.ask(lambda client: client.list_adapters())
    await engine.close()
    assert [one.name for one in found] == ["balanced"]


async def test_who_only_looks_starts_nothing(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    async with in_memory(Settings(nowhere(), autostart=True), log=log) as client:
        status = answer(await client.call_tool("engine_status", {}))
        await client.list_tools()
        await client.list_resources()
        await client.list_prompts()
        await client.complete(PromptReference(name="describe_state"), {"name": "session_id", "value": ""})
    assert not status["up"]
    assert not log.exists()


async def test_a_log_that_cannot_be_written_is_told_with_how_to_start_a_service_by_hand(
    bridge: Start, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    target = nowhere()
    engine = bridge(target, log="file/engine.log")
    with pytest.raises(Refused, match=r"none can be started from here: .*file.*; start one with `emotional-ai serve"):
        await asked(engine)
    await engine.close()


async def test_an_environment_without_the_service_is_told_with_what_to_install(
    bridge: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc_health", None)
    engine = bridge(nowhere())
    with pytest.raises(Refused) as refused:
        await asked(engine)
    await engine.close()
    assert sys.executable in str(refused.value)
    assert str(refused.value).endswith("install it there with: pip install 'emotional-ai[local]'")
    assert not (tmp_path / "engine.log").exists()


@pytest.mark.parametrize("target", ["example.com:50051", "10.0.0.7:50051", "0.0.0.0:50051", "[::]:1"])
def test_a_service_elsewhere_is_not_started_and_the_bridge_does_not_begin(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--target", target, "--autostart"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip() == (
        f"--autostart starts a service on this machine only: --target must be 127.0.0.1:PORT, got {target!r}"
    )


@pytest.mark.parametrize("target", ["127.0.0.1:7", "localhost:7", "127.8.8.8:7", "[::1]:7"])
async def test_every_address_of_this_machine_alone_will_do(target: str, tmp_path: Path) -> None:
    assert server(Settings(target, autostart=True), tmp_path / "engine.log")


@asynccontextmanager
async def over_stdio(target: str, home: Path, complaints: IO[str], era: Era) -> AsyncIterator[Client]:
    """A client of a bridge as an editor starts it, at home elsewhere."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "EMOTIONAL_AI_CACHE": str(cache_dir(os.environ))}
    program, *flags = command(target, "--autostart")
    transport = stdio_client(StdioServerParameters(command=program, args=flags, env=environment), complaints)
    async with Client(transport, mode=era, read_timeout_seconds=PATIENCE) as client:
        yield client


async def test_two_editors_get_one_service_and_leave_it_running(tmp_path: Path) -> None:
    target, complaints = nowhere(), tmp_path / "complaints"

    async def state(era: Era) -> str:
        with complaints.open("a") as said:
            async with asyncio.timeout(PATIENCE), over_stdio(target, tmp_path, said, era) as client:
                session: str = answer(await client.call_tool("get_emotional_state", {}))["session_id"]
                return session

    try:
        assert await asyncio.gather(*map(state, ERAS)) == ["default", "default"]
        with Service(target) as there:
            assert there.state("default").version == 1
        async with AsyncClient(target) as there:
            assert (await there.get_model()).name
        assert launched(log_file(tmp_path)) == 1
    finally:
        for process in map(int, STARTED.findall(complaints.read_text())):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
