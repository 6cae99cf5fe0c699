"""An engine that is down at first, comes up, goes down, comes back, or hangs, while the bridge runs on."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import IN_MEMORY, PATIENCE, service
from mcp.client import Client
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp_bridge import ERAS, EVERYTHING, Era, answer, in_memory, over_stdio, refusal, said
from mcp_following import until
from ports import nowhere
from refusing_service import ROUNDED_UP, Refusal, refusing_service

from emotional_ai import AsyncClient, DeadlineExceeded, Unavailable
from emotional_ai.connection import start_command
from emotional_ai.mcp_bridge.autostart import Starter
from emotional_ai.mcp_bridge.engine import CALL_SECONDS, Engine
from emotional_ai.mcp_bridge.settings import Settings

STATE = "emotion://sessions/default/state"

in_either_era = pytest.mark.parametrize("era", ERAS)


@contextmanager
def up(address: str) -> Iterator[None]:
    """The engine, for as long as the block lasts, at an address where nobody listens."""
    with service(replace(IN_MEMORY, port=int(address.rpartition(":")[2]))):
        yield


def down(address: str) -> str:
    """What a tool says while the engine is down."""
    return (
        f"[UNAVAILABLE] no emotion engine answers at {address}; start one with `{start_command(address)}` and call again, "
        "or give the bridge --autostart"
    )


async def state(client: Client) -> str:
    """What get_emotional_state says."""
    return said(await client.call_tool("get_emotional_state", {}))


@in_either_era
async def test_with_the_engine_down_everything_is_listed(era: Era) -> None:
    async with asyncio.timeout(PATIENCE), in_memory(Settings(nowhere(), toolsets=EVERYTHING), era) as client:
        assert len((await client.list_tools()).tools) == 10
        assert {one.name for one in (await client.list_prompts()).prompts} >= {"reply_in_character", "describe_state"}
        assert {str(one.uri) for one in (await client.list_resources()).resources} >= {"emotion://engine/info"}
        assert len((await client.list_resource_templates()).resource_templates) == 2


@in_either_era
async def test_with_the_engine_down_each_call_says_how_to_start_it(era: Era) -> None:
    address = nowhere()
    calls = {
        "get_emotional_state": {},
        "update_emotion": {"text": "hooray"},
        "explain_emotion": {},
        "list_emotion_sessions": {},
        "reset_emotion": {},
        "generate_reply": {"prompt": "hi"},
        "start_training": {},
        "get_training_status": {},
        "cancel_training": {"job_id": "j"},
    }
    async with asyncio.timeout(PATIENCE), in_memory(Settings(address, toolsets=EVERYTHING), era) as client:
        *told, status, read, got = await asyncio.gather(
            *(client.call_tool(name, arguments) for name, arguments in calls.items()),
            client.call_tool("engine_status", {}),
            client.read_resource(STATE),
            client.get_prompt("describe_state", {}),
            return_exceptions=True,
        )
    assert [refusal(one) for one in told] == [down(address)] * len(calls)
    assert (answer(status)["up"], answer(status)["target"]) == (False, address)
    assert start_command(address) in answer(status)["detail"]
    for error in (read, got):
        assert isinstance(error, MCPError)
        assert start_command(address) in error.error.message


@in_either_era
async def test_the_engine_comes_and_goes_and_each_call_is_served_accordingly(era: Era) -> None:
    address = nowhere()
    async with asyncio.timeout(PATIENCE), in_memory(Settings(address), era) as client:
        assert await state(client) == down(address)
        with up(address):
            assert (await state(client)).startswith("default feels neutral")
            assert answer(await client.call_tool("engine_status", {}))["up"]
        told, status = await asyncio.gather(state(client), client.call_tool("engine_status", {}))
        assert told == down(address)
        assert not answer(status)["up"]
        with up(address):
            assert answer(await client.call_tool("update_emotion", {"reward": 0.5}))["version"] == 2
            assert await client.read_resource(STATE)


async def test_an_engine_that_went_and_came_back_between_two_calls_is_not_noticed() -> None:
    address = nowhere()
    async with asyncio.timeout(PATIENCE), in_memory(Settings(address)) as client:
        for _ in range(3):
            with up(address):
                assert (await state(client)).startswith("default feels neutral")


async def test_however_long_it_was_down_the_first_call_after_it_comes_up_is_served() -> None:
    address = nowhere()
    async with asyncio.timeout(PATIENCE), in_memory(Settings(address)) as client:
        for _ in range(3):
            told = await asyncio.gather(*(state(client) for _ in range(20)))
            assert set(told) == {down(address)}
        with up(address):
            assert (await state(client)).startswith("default feels neutral")


async def test_calls_that_meet_the_end_of_an_engine_are_answered_all_the_same() -> None:
    address = nowhere()
    async with asyncio.timeout(PATIENCE), in_memory(Settings(address)) as client:
        with up(address):
            await state(client)
            calls = [asyncio.create_task(state(client)) for _ in range(50)]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        told = await asyncio.gather(*calls)
    assert all(one.startswith(("default feels neutral", "[UNAVAILABLE] ")) for one in told), told


@in_either_era
async def test_a_bridge_in_a_process_of_its_own_outlasts_its_engine(era: Era) -> None:
    address = nowhere()
    async with asyncio.timeout(PATIENCE), over_stdio(address, era=era) as client:
        assert await state(client) == down(address)
        with up(address):
            assert (await state(client)).startswith("default feels neutral")
        assert await state(client) == down(address)


async def test_an_engine_that_hangs_is_waited_for_two_seconds_by_a_read_and_five_by_a_change() -> None:
    hanging = Refusal(None, of={"GetSession", "ResetSession", "CreateSession"})
    with refusing_service(hanging) as address:
        async with asyncio.timeout(PATIENCE), in_memory(Settings(address)) as client:
            read, reset, status = await asyncio.gather(
                client.call_tool("get_emotional_state", {}),
                client.call_tool("reset_emotion", {}),
                client.call_tool("engine_status", {}),
            )
    waited = dict(zip(hanging.asked, hanging.seconds, strict=True))
    assert 0 < waited["GetSession"] <= 2 * ROUNDED_UP < waited["ResetSession"] <= 5 * ROUNDED_UP
    assert 0 < waited["GetModel"] <= 2 * ROUNDED_UP
    assert refusal(read) == "[DEADLINE_EXCEEDED] no answer in time; the engine may be busy: call again"
    assert refusal(reset).endswith("it may have been applied: read the state before sending it again")
    assert not status.is_error


async def test_an_engine_that_is_closed_ends_the_calls_on_a_connection_it_has_replaced() -> None:
    hanging = Refusal(None, of={"GetState"})
    with refusing_service(hanging) as address:
        engine = Engine(Settings(address), InMemorySubscriptionBus())

        async def hangs() -> None:
            async with engine.connected() as client:
                await client.state("ada", timeout=2 * PATIENCE)

        async def asked() -> bool:
            return bool(hanging.asked)

        call = asyncio.create_task(hangs())
        await until(asked)
        with pytest.raises(Unavailable):
            async with engine.connected():
                raise Unavailable("nobody answers")
        # The service itself gives the call up after PATIENCE.
        async with asyncio.timeout(PATIENCE / 2), engine.connected():
            await engine.close()
            await asyncio.wait([call])
    assert call.cancelled() or call.exception() is not None


async def test_a_call_that_had_to_start_its_engine_is_given_up_before_its_client_gives_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loop, late, tries = asyncio.get_running_loop(), 0.0, iter((True, False))
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + late)

    async def start(_: Starter) -> None:
        """Takes nearly all the time there is."""
        nonlocal late
        late = CALL_SECONDS - 0.5

    async def call(client: AsyncClient) -> object:
        if next(tries):
            raise Unavailable("nobody answers")
        return await client.state("ada", timeout=2 * PATIENCE)

    monkeypatch.setattr(Starter, "start", start)
    with refusing_service(Refusal(None)) as address:
        starter = Starter(address, tmp_path / "engine.log")
        engine = Engine(Settings(address, autostart=True), InMemorySubscriptionBus(), starter)
        with pytest.raises(DeadlineExceeded, match="no answer within 57 s, the start of the engine included"):
            await engine.ask(call)
        await engine.close()


async def test_an_address_that_takes_connections_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        async with asyncio.timeout(PATIENCE), in_memory(Settings(address)) as client:
            told, status = await asyncio.gather(state(client), client.call_tool("engine_status", {}))
    assert told == "[DEADLINE_EXCEEDED] no answer in time; the engine may be busy: call again"
    assert not answer(status)["up"]
