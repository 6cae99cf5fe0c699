"""Who subscribes to a state is told when it moves, in either era, from one watch of the service for each session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path

import mcp_types as types
import pytest
from loopback import IN_MEMORY, PATIENCE, hosted, in_file, service
from mcp.server.subscriptions import ResourcesListChanged
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_bridge import ERAS, LEGACY, MODERN, Era, in_memory
from mcp_following import memory, watched
from ports import nowhere
from scripted_decoder import ScriptedDecoder, Speaking, speaking_service

from emotional_ai import AsyncClient
from emotional_ai import Client as Service
from emotional_ai.mcp_bridge import engine, uris
from emotional_ai.mcp_bridge.settings import Settings

ADA, BOB = uris.state_of("ada"), uris.state_of("bob")
MINUTE_US = 60_000_000


class Clock:
    """Wall microseconds, moved by hand."""

    now = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def served(tmp_path: Path, clock: Clock) -> AsyncIterator[Speaking]:
    """A service on the loop of the test that says how many watch a session; ada and bob are there."""
    async with speaking_service(ScriptedDecoder(), tmp_path, clock) as served, AsyncClient(served.address) as there:
        await there.create_session("ada")
        await there.create_session("bob")
        yield served


async def test_a_subscriber_is_told_when_a_tool_moves_the_state(served: Speaking, era: Era) -> None:
    async with memory(served.address, era) as one, one.following(ADA):
        await one.client.call_tool("update_emotion", {"reward": 0.8, "session_id": "ada"})
        assert await one.told() == ADA


async def test_a_subscriber_is_told_of_what_others_do(served: Speaking, era: Era) -> None:
    async with memory(served.address, era) as one, one.following(ADA), AsyncClient(served.address) as there:
        for _ in range(3):
            await there.apply("ada", threat=0.3)
            assert await one.told() == ADA


async def test_a_subscriber_is_told_of_its_own_addresses_alone(served: Speaking, era: Era) -> None:
    async with memory(served.address, era) as one, one.following(BOB), AsyncClient(served.address) as there:
        await there.apply("ada", reward=0.8)
        await there.apply("bob", reward=0.8)
        assert await one.told() == BOB
        assert one.news.empty()


async def test_time_alone_is_told_once_it_moves_a_level(served: Speaking, clock: Clock, era: Era) -> None:
    async with memory(served.address, era) as one, one.following(ADA), AsyncClient(served.address) as there:
        await there.apply("ada", reward=1.0)
        assert await one.told() == ADA
        clock.now += 30 * MINUTE_US
        assert await one.told() == ADA


async def test_a_state_that_does_not_move_is_not_told(served: Speaking, era: Era) -> None:
    async with memory(served.address, era) as one, one.following(ADA, BOB), AsyncClient(served.address) as there:
        await watched(served, "ada", 1)
        await watched(served, "bob", 1)
        await there.apply("bob", reward=0.8)
        assert await one.told() == BOB
        assert one.news.empty()


async def test_an_address_is_told_as_the_subscriber_spells_it(served: Speaking, era: Era) -> None:
    strange, plain = uris.state_of("a:b"), "emotion://sessions/a:b/state"
    assert strange != plain
    async with AsyncClient(served.address) as there:
        await there.create_session("a:b")
        async with memory(served.address, era) as one, one.following(plain):
            await there.apply("a:b", reward=0.8)
            assert await one.told() == plain
            async with one.following(strange):
                await there.apply("a:b", reward=0.8)
                assert {await one.told(), await one.told()} == {plain, strange}


async def test_subscribing_twice_is_subscribing_once(served: Speaking) -> None:
    async with (
        memory(served.address, LEGACY) as one,
        AsyncClient(served.address) as there,
        one.following(ADA),
        one.following(ADA),
        one.following(BOB),
    ):
        await there.apply("ada", reward=0.8)
        assert await one.told() == ADA
        await there.apply("bob", reward=0.8)
        assert await one.told() == BOB


async def test_subscribing_many_times_at_once_is_subscribing_once(served: Speaking) -> None:
    async with memory(served.address, LEGACY) as one, AsyncClient(served.address) as there, AsyncExitStack() as follows:
        await asyncio.gather(*(follows.enter_async_context(one.following(ADA)) for _ in range(5)))
        await follows.enter_async_context(one.following(BOB))
        await there.apply("ada", reward=0.8)
        assert await one.told() == ADA
        await there.apply("bob", reward=0.8)
        assert await one.told() == BOB
    await watched(served, "ada", 0)


@pytest.mark.parametrize("uri", [uris.SCHEMA, uris.SESSIONS, "emotion://sessions/ada/history", "file:///etc/passwd"])
async def test_what_cannot_be_watched_is_refused_with_what_can(served: Speaking, era: Era, uri: str) -> None:
    async with memory(served.address, era) as one:
        with pytest.raises(
            MCPError, match=r"cannot be subscribed to; emotion://sessions/\{session_id\}/state can"
        ) as caught:
            await enter(one.following(uri))
    assert caught.value.code == types.INVALID_PARAMS
    assert uri in str(caught.value)


async def test_what_cannot_be_watched_cannot_be_left_either(served: Speaking) -> None:
    async with memory(served.address, LEGACY) as one:
        with pytest.warns(MCPDeprecationWarning), pytest.raises(MCPError, match="cannot be subscribed to") as caught:
            await one.client.unsubscribe_resource(uris.SCHEMA)
    assert caught.value.code == types.INVALID_PARAMS


async def test_an_unknown_session_is_refused_with_those_there_are(served: Speaking, era: Era) -> None:
    async with memory(served.address, era) as one:
        with pytest.raises(MCPError, match="no session 'eve'; there are ada, bob"):
            await enter(one.following(uris.state_of("eve")))
        with pytest.raises(MCPError, match="no session 'eve'"):
            await enter(one.following(ADA, uris.state_of("eve")))
    await watched(served, "ada", 0)


async def test_an_unknown_session_is_refused_to_all_who_ask_at_once(served: Speaking) -> None:
    async with memory(served.address, MODERN) as one:
        asked = [enter(one.following(uris.state_of("eve"))) for _ in range(3)]
        refused = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in refused] == [MCPError] * 3


async def test_an_id_no_session_can_have_is_refused_though_nobody_answers(era: Era) -> None:
    async with memory(nowhere(), era) as one:
        with pytest.raises(MCPError, match="a session id has ") as caught:
            await enter(one.following("emotion://sessions/a%2Fb/state"))
    assert caught.value.code == types.INVALID_PARAMS


async def enter(block: AbstractAsyncContextManager[None]) -> None:
    async with block:
        pass


async def test_a_service_that_goes_away_and_returns_is_watched_again(tmp_path: Path, era: Era) -> None:
    settings = in_file(tmp_path / "sessions.db")
    with hosted(settings) as first, Service(first.address) as there:
        there.create_session("ada")
        port = int(first.address.rpartition(":")[2])
        async with memory(first.address, era) as one, one.following(ADA):
            there.apply("ada", reward=0.5)
            assert await one.told() == ADA
            first.end()
            with service(replace(settings, port=port)) as second, Service(second) as again:
                again.apply("ada", reward=0.5)
                assert await one.told() == ADA


async def test_a_session_that_is_deleted_and_made_again_is_watched_again(served: Speaking) -> None:
    async with memory(served.address, MODERN) as one, one.following(ADA), AsyncClient(served.address) as there:
        await there.apply("ada", reward=0.5)
        assert await one.told() == ADA
        await there.delete_session("ada")
        await there.create_session("ada")
        assert await one.told() == ADA
        await there.apply("ada", reward=0.5)
        assert await one.told() == ADA


async def test_a_subscription_made_while_the_service_is_down_is_told_once_it_is_up(era: Era) -> None:
    address = nowhere()
    async with memory(address, era) as one, one.following(uris.state_of("default")):
        with service(replace(IN_MEMORY, port=int(address.rpartition(":")[2]))) as up, Service(up) as there:
            there.create_session("default")
            assert await one.told() == uris.state_of("default")


async def test_a_listener_is_told_when_a_session_is_made_that_can_be_read_then(
    served: Speaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "GLANCE", PATIENCE)
    async with in_memory(Settings(served.address)) as client, client.listen(resources_list_changed=True) as events:
        await client.call_tool("update_emotion", {"reward": 0.8, "session_id": "cid", "create_session": True})
        async with asyncio.timeout(PATIENCE):
            assert await anext(aiter(events)) == ResourcesListChanged()
        assert uris.state_of("cid") in [str(one.uri) for one in (await client.list_resources()).resources]
