"""One watch of the service for each session, which ends with the last who subscribed, however they leave."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from loopback import PATIENCE
from mcp_bridge import ERAS, LEGACY, MODERN, Era, HttpBridge, over_http
from mcp_following import memory, through, watched
from mcp_wire import STATELESS, Speech
from scripted_decoder import ScriptedDecoder, Speaking, speaking_service

from emotional_ai import AsyncClient
from emotional_ai.mcp_bridge import uris

ADA, BOB = uris.state_of("ada"), uris.state_of("bob")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Speaking]:
    """A service on the loop of the test that says how many watch a session; ada and bob are there."""
    async with speaking_service(ScriptedDecoder(), tmp_path) as served, AsyncClient(served.address) as there:
        await there.create_session("ada")
        await there.create_session("bob")
        yield served


@pytest.fixture
def bridge(served: Speaking) -> Iterator[HttpBridge]:
    """One bridge for several clients."""
    with over_http(served.address) as bridge:
        yield bridge


@pytest.mark.parametrize("era", ERAS)
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


async def test_a_client_that_leaves_without_unsubscribing_ends_its_watch(served: Speaking, bridge: HttpBridge) -> None:
    async with through(bridge, LEGACY) as one:
        async with one.following(ADA, unsubscribes=False):
            await watched(served, "ada", 1)
        await one.client.list_tools()
        assert await served.subscribers("ada") == 1
    await watched(served, "ada", 0)


async def test_many_who_subscribe_at_once_share_one_watch(served: Speaking) -> None:
    confirmed, over = asyncio.Semaphore(0), asyncio.Event()
    async with memory(served.address, MODERN) as one, AsyncClient(served.address) as there:

        async def follow() -> None:
            async with one.following(ADA):
                confirmed.release()
                await over.wait()

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as followers:
            for _ in range(3):
                followers.create_task(follow())
            for _ in range(3):
                await confirmed.acquire()
            await there.apply("ada", praise=0.9)
            assert [await one.told() for _ in range(3)] == [ADA] * 3
            assert await served.subscribers("ada") == 1
            over.set()
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
