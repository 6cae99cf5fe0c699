"""Who subscribes to a state is told when it moves, in either era, from one watch of the service for each session."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import httpx
import mcp_types as types
import pytest
from loopback import IN_MEMORY, PATIENCE, hosted, in_file, service
from mcp.client import Client
from mcp.client.session import MessageHandlerFnT
from mcp.shared.exceptions import MCPError
from mcp_bridge import ERAS, LEGACY, MODERN, Era, HttpBridge, in_memory, nowhere, over_http
from mcp_following import Follower, follower, until
from mcp_wire import STATELESS, Speech
from scripted_decoder import ScriptedDecoder, Speaking, speaking_service

from emotional_ai import AsyncClient
from emotional_ai import Client as Service
from emotional_ai.mcp_bridge import uris
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


@pytest.fixture
def bridge(served: Speaking) -> Iterator[HttpBridge]:
    """One bridge for several clients."""
    with over_http(served.address) as bridge:
        yield bridge


def memory(target: str, era: Era) -> AbstractAsyncContextManager[Follower]:
    """A follower with a bridge of its own in this process."""

    def connected(era: Era, told: MessageHandlerFnT) -> AbstractAsyncContextManager[Client]:
        return in_memory(Settings(target), era, told=told)

    return follower(connected, era)


def through(bridge: HttpBridge, era: Era) -> AbstractAsyncContextManager[Follower]:
    """A follower that shares a bridge."""
    return follower(lambda era, told: bridge.client(era, told=told), era)


async def watched(served: Speaking, session_id: str, watches: int) -> None:
    """Returns once so many watch a session."""

    async def counted() -> bool:
        return await served.subscribers(session_id) == watches

    await until(counted)


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
    async with AsyncClient(served.address) as there:
        await there.apply("ada", reward=1.0)
    async with memory(served.address, era) as one, one.following(ADA):
        clock.now += 30 * MINUTE_US
        assert await one.told() == ADA


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


async def test_who_unsubscribes_is_told_no_more_and_the_watch_ends(served: Speaking, era: Era) -> None:
    async with memory(served.address, era) as one, AsyncClient(served.address) as there:
        async with one.following(ADA):
            await watched(served, "ada", 1)
        await watched(served, "ada", 0)
        async with one.following(BOB):
            await there.apply("ada", reward=0.8)
            await there.apply("bob", reward=0.8)
            assert await one.told() == BOB
            assert one.news.empty()


async def test_a_client_that_leaves_without_unsubscribing_ends_its_watch(served: Speaking) -> None:
    async with memory(served.address, LEGACY) as one:
        async with one.following(ADA, unsubscribes=False):
            await watched(served, "ada", 1)
        await one.client.list_tools()
        assert await served.subscribers("ada") == 1
    await watched(served, "ada", 0)


async def test_many_subscribers_of_both_eras_share_one_watch_until_the_last_is_gone(
    served: Speaking, bridge: HttpBridge
) -> None:
    async with AsyncClient(served.address) as there:
        async with through(bridge, LEGACY) as old, old.following(ADA):
            async with through(bridge, MODERN) as new, through(bridge, LEGACY) as other:
                async with new.following(ADA), other.following(ADA, BOB):
                    await watched(served, "ada", 1)
                    await watched(served, "bob", 1)
                    await there.apply("ada", praise=0.9)
                    assert [await one.told() for one in (old, new, other)] == [ADA] * 3
                    assert await served.subscribers("ada") == 1
                await watched(served, "bob", 0)
            await there.apply("ada", praise=0.9)
            assert await old.told() == ADA
            assert await served.subscribers("ada") == 1
        await watched(served, "ada", 0)


@pytest.mark.parametrize("era", ERAS)
async def test_a_bridge_over_http_that_is_told_to_go_ends_its_watches_without_a_complaint(
    served: Speaking, bridge: HttpBridge, era: Era
) -> None:
    async with through(bridge, era) as one, one.following(ADA, unsubscribes=False):
        await watched(served, "ada", 1)
        bridge.process.terminate()
        await watched(served, "ada", 0)
        assert await asyncio.to_thread(bridge.process.wait, PATIENCE) == -signal.SIGTERM
        assert bridge.complaints() == ""


async def test_a_listener_whose_connection_drops_ends_its_watch(served: Speaking, bridge: HttpBridge) -> None:
    speech = Speech(STATELESS)
    asked = speech.request("subscriptions/listen", notifications={"resourceSubscriptions": [ADA]})
    async with (
        httpx.AsyncClient(timeout=PATIENCE) as http,
        http.stream("POST", bridge.url, json=asked, headers=speech.headers(asked)) as events,
    ):
        lines = events.aiter_lines()
        assert await anext(lines) == "event: message"
        await watched(served, "ada", 1)
    await watched(served, "ada", 0)


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


@pytest.mark.parametrize("uri", [uris.SCHEMA, uris.SESSIONS, "emotion://sessions/ada/history", "file:///etc/passwd"])
async def test_what_cannot_be_watched_is_refused_with_what_can(served: Speaking, era: Era, uri: str) -> None:
    async with memory(served.address, era) as one:
        with pytest.raises(
            MCPError, match=r"cannot be subscribed to; emotion://sessions/\{session_id\}/state can"
        ) as caught:
            await enter(one.following(uri))
    assert caught.value.code == types.INVALID_PARAMS
    assert uri in str(caught.value)


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


async def test_a_subscription_made_while_the_service_is_down_is_told_once_it_is_up(era: Era) -> None:
    address = nowhere()
    async with memory(address, era) as one, one.following(uris.state_of("default")):
        with service(replace(IN_MEMORY, port=int(address.rpartition(":")[2]))) as up, Service(up) as there:
            there.create_session("default")
            assert await one.told() == uris.state_of("default")
