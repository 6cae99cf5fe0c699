"""Resources in both eras: the engine, its sessions, their states and histories, all of it JSON."""

import json
from collections.abc import Iterator
from typing import Any

import mcp_types as types
import pytest
from grpc import StatusCode as Code
from loopback import PATIENCE, service
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_bridge import ERAS, Era, answer, in_memory
from ports import nowhere
from refusing_service import MESSAGE, Refusal, refusing_service

from emotional_ai import SIGNALS
from emotional_ai import Client as Service
from emotional_ai.mcp_bridge import engine, resources, uris
from emotional_ai.mcp_bridge.resources import EVENTS, SAMPLES
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.stimuli import CHEMICALS

FIXED = [uris.INFO, uris.SESSIONS, uris.SCHEMA]
STRANGE = "ada:1.b_c-d"
"""A session whose id holds every mark an id may hold."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running, Service(running) as there:
        there.create_session("ada")
        there.create_session(STRANGE)
        there.apply("ada", reward=0.8)
        there.sustain("ada", minutes=60, threat=0.25)
        yield running


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list waits for the service as long as a test does: what is listed does not hang on the speed of the machine."""
    monkeypatch.setattr(engine, "GLANCE", PATIENCE)


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


async def read(client: Client, uri: str) -> dict[str, Any]:
    """What is at an address."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    assert (str(content.uri), content.mime_type) == (uri, "application/json")
    whole = json.loads(content.text)
    assert isinstance(whole, dict)
    return whole


async def refused(client: Client, uri: str) -> str:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.code == types.INVALID_PARAMS
    return str(caught.value)


async def test_what_can_be_read_is_listed_with_the_states_of_sessions(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        listed = (await client.list_resources()).resources
    assert [str(one.uri) for one in listed] == [*FIXED, uris.state_of("ada"), uris.state_of(STRANGE)]
    assert all(one.description and one.title and one.mime_type == "application/json" for one in listed)


async def test_the_templates_are_those_of_a_sessions_state_and_history(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        listed = (await client.list_resource_templates()).resource_templates
    assert [one.uri_template for one in listed] == [uris.STATE, uris.HISTORY]


async def test_everything_listed_can_be_read(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        for one in (await client.list_resources()).resources:
            assert await read(client, str(one.uri))


async def test_a_state_that_is_read_is_the_one_the_tool_tells(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        state = await read(client, uris.state_of("ada"))
        told = answer(await client.call_tool("get_emotional_state", {"session_id": "ada"}))
    assert set(state) == set(told)
    assert (state["session_id"], state["version"], state["sustained"]) == ("ada", told["version"], {"threat": 0.25})


async def test_an_address_may_name_a_session_with_or_without_escapes(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        assert (await read(client, uris.state_of(STRANGE)))["session_id"] == STRANGE
        assert (await read(client, f"emotion://sessions/{STRANGE}/state"))["session_id"] == STRANGE


async def test_a_history_has_even_samples_and_its_events(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        history = await read(client, "emotion://sessions/ada/history")
    assert len(history["samples"]) == SAMPLES
    assert all(set(CHEMICALS) < set(sample) for sample in history["samples"])
    assert [(one["what"], one.get("signals")) for one in history["events"]][-2:] == [
        ("event", {"reward": 0.8}),
        ("sustained", {"threat": 0.25}),
    ]
    assert history["events_left_out"] == 0


async def test_of_a_long_history_the_latest_events_are_told_and_the_others_counted(address: str) -> None:
    with Service(address) as there:
        there.create_session("long")
        for number in range(EVENTS + 5):
            there.apply("long", note=f"event {number}", novelty=0.01)
    async with in_memory(Settings(address)) as client:
        history = await read(client, "emotion://sessions/long/history")
    notes = [one["note"] for one in history["events"]]
    assert notes == [f"event {number}" for number in range(5, EVENTS + 5)]
    assert history["events_left_out"] >= 5
    with Service(address) as there:
        there.delete_session("long")


async def test_the_schema_names_everything_the_tools_use(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        schema = await read(client, uris.SCHEMA)
        state = await read(client, uris.state_of("ada"))
    assert set(schema["signals"]) == set(SIGNALS)
    assert set(schema["chemicals"]) == set(CHEMICALS)
    assert {"neutral", "joy", state["label"]} <= set(schema["labels"])
    assert set(schema["state"]["properties"]) == set(state)


@pytest.mark.parametrize(
    "uri",
    [
        "emotion://nothing",
        "emotion://sessions/ada",
        "emotion://sessions//state",
        "emotion://sessions/ada/b/state",
        "file:///etc/passwd",
        "emotion://sessions/ada/state/",
    ],
)
async def test_an_unknown_address_is_an_error_that_names_those_there_are(address: str, era: Era, uri: str) -> None:
    async with in_memory(Settings(address), era) as client:
        told = await refused(client, uri)
    assert uri in told
    assert all(one in told for one in (*FIXED, uris.STATE, uris.HISTORY))


async def test_the_state_of_an_unknown_session_is_an_error_that_names_those_there_are(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        told = await refused(client, uris.state_of("bob"))
    assert "no session 'bob'" in told
    assert "ada" in told
    assert STRANGE in told


@pytest.mark.parametrize("kind", ["state", "history"])
@pytest.mark.parametrize("named", ["a%2Fb", "-x", "%F0%9F%98%80", "%252F"])
async def test_what_is_of_an_id_no_session_can_have_is_an_error_that_says_the_rule(
    era: Era, named: str, kind: str
) -> None:
    async with in_memory(Settings(nowhere()), era) as client:
        told = await refused(client, f"emotion://sessions/{named}/{kind}")
    assert "a session id has 1..128 characters of letters, digits, " in told


async def test_with_the_engine_down_lists_are_given_and_reads_say_what_to_do(era: Era) -> None:
    async with in_memory(Settings(nowhere()), era) as client:
        assert [str(one.uri) for one in (await client.list_resources()).resources] == FIXED
        assert (await read(client, uris.INFO))["up"] is False
        assert set((await read(client, uris.SCHEMA))["signals"]) == set(SIGNALS)
        with pytest.raises(MCPError, match=r"\[UNAVAILABLE\] .*emotional-ai serve") as caught:
            await client.read_resource(uris.SESSIONS)
        assert caught.value.code == types.INTERNAL_ERROR


@pytest.mark.parametrize(
    "code", [Code.INTERNAL, Code.PERMISSION_DENIED, Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED]
)
async def test_what_the_engine_refuses_is_an_error_of_the_protocol_with_what_to_do(era: Era, code: Code) -> None:
    with refusing_service(Refusal(code)) as address:
        async with in_memory(Settings(address), era) as client:
            for failing in (client.read_resource(uris.SESSIONS), client.get_prompt("describe_state", {})):
                with pytest.raises(MCPError, match=rf"\[{code.name}\] .*; .{{10,}}") as caught:
                    await failing
                assert caught.value.code == types.INTERNAL_ERROR
                assert (MESSAGE in str(caught.value)) == (code not in (Code.INTERNAL, Code.DEADLINE_EXCEEDED))


async def test_a_fault_of_the_bridge_itself_has_an_id_and_no_details(
    era: Era, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> str:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(resources, "_schema", broken)
    async with in_memory(Settings(nowhere()), era) as client:
        with pytest.raises(
            MCPError, match=r"^\[INTERNAL\] the bridge failed \(id [0-9a-f]{12}\); details are on its"
        ) as caught:
            await client.read_resource(uris.SCHEMA)
    assert caught.value.code == types.INTERNAL_ERROR
    assert "a secret" in caplog.text


async def test_listing_starts_no_engine(era: Era) -> None:
    settings = Settings(nowhere(), autostart=True)
    async with in_memory(settings, era) as client:
        await client.list_resources()
        await client.complete(types.ResourceTemplateReference(uri=uris.STATE), {"name": "session_id", "value": ""})
        status = answer(await client.call_tool("engine_status", {}))
    assert status["up"] is False
