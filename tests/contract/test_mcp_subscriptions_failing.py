"""Subscriptions beside one that is slow, one that fails, and a service that cannot be started."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import mcp_types as types
import pytest
from loopback import PATIENCE
from mcp.server.connection import Connection
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_bridge import ERAS, MODERN, Era, in_memory
from mcp_following import follower, memory, watched
from ports import nowhere
from scripted_decoder import ScriptedDecoder, Speaking, speaking_service

from emotional_ai import AsyncClient
from emotional_ai.mcp_bridge import subscriptions, uris
from emotional_ai.mcp_bridge.engine import Engine
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.mcp_bridge.subscriptions import Subscriptions

ADA, BOB = uris.state_of("ada"), uris.state_of("bob")
T = TypeVar("T")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Speaking]:
    """A service on the loop of the test that says how many watch a session; ada and bob are there."""
    async with speaking_service(ScriptedDecoder(), tmp_path) as served, AsyncClient(served.address) as there:
        await there.create_session("ada")
        await there.create_session("bob")
        yield served


class SlowOnAda(Engine):
    """Asks about ada when a test lets it."""

    def __init__(self, target: str) -> None:
        super().__init__(Settings(target), InMemorySubscriptionBus())
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def in_session(self, session_id: str, call: Callable[[AsyncClient, str], Awaitable[T]]) -> T:
        if session_id == "ada":
            self.asked.set()
            await self.go_on.wait()
        return await super().in_session(session_id, call)


async def test_a_slow_session_holds_up_no_other(served: Speaking) -> None:
    engine = SlowOnAda(served.address)
    every = Subscriptions(engine, InMemorySubscriptionBus())

    async def follow_ada() -> None:
        async with every.watching([ADA]):
            pass

    async with asyncio.timeout(PATIENCE):
        slow = asyncio.create_task(follow_ada())
        await engine.asked.wait()
        async with every.watching([BOB]):
            assert not slow.done()
            engine.go_on.set()
            await slow
        await every.close()
        await engine.close()
    assert not every._beginning


async def test_a_watch_that_fails_is_written_to_the_log_and_taken_up_again(
    served: Speaking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = asyncio.Event()
    moved = subscriptions.moved

    def broken_once(*states: Any) -> bool:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError("a fault of its own")
        return moved(*states)

    monkeypatch.setattr(subscriptions, "AGAIN", 0.01)
    monkeypatch.setattr(subscriptions, "moved", broken_once)
    async with asyncio.timeout(PATIENCE), memory(served.address, MODERN) as one, one.following(ADA):
        await failed.wait()
        async with AsyncClient(served.address) as there:
            await there.apply("ada", reward=0.8)
        assert await one.told() == ADA
    assert "a fault of its own" in caplog.text
    await watched(served, "ada", 0)


class Unreachable:
    """A client's session whose connection takes no notices."""

    def __init__(self) -> None:
        self._connection = Connection.for_loop(cast(Any, None))

    async def send_resource_updated(self, uri: str) -> None:
        raise ConnectionResetError(f"nobody hears of {uri}")


async def test_a_subscriber_that_cannot_be_told_is_let_go_and_may_subscribe_again(
    served: Speaking, caplog: pytest.LogCaptureFixture
) -> None:
    bus = InMemorySubscriptionBus()
    engine = Engine(Settings(served.address), bus)
    every, session = Subscriptions(engine, bus), cast(ServerSession, Unreachable())
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            await every.subscribe(session, ADA)
            await watched(served, "ada", 1)
            await bus.publish(ResourceUpdated(uri=ADA))
            await watched(served, "ada", 0)
        await every.close()
        await engine.close()
    assert caplog.text.count(f"ConnectionResetError: nobody hears of {ADA}") == 2


@pytest.mark.parametrize("era", ERAS)
async def test_a_service_that_cannot_be_started_is_no_fault_of_who_asks(tmp_path: Path, era: Era) -> None:
    (tmp_path / "file").touch()
    settings, log = Settings(nowhere(), autostart=True), tmp_path / "file" / "engine.log"
    async with follower(lambda era, told: in_memory(settings, era, told=told, log=log), era) as one:
        for asked in (
            one.client.read_resource(uris.state_of("default")),
            one.client.get_prompt("describe_state", {}),
        ):
            with pytest.raises(MCPError, match=r"\[UNAVAILABLE\] .*none can be started from here") as caught:
                await asked
            assert caught.value.code == types.INTERNAL_ERROR
        async with one.following(uris.state_of("default")):
            assert one.news.empty()
