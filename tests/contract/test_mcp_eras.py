"""Every emotional tool, in memory, in both eras of the protocol, against a real service."""

import json
from collections.abc import Iterator
from typing import Any

import mcp_types as types
import pytest
from jsonschema import Draft202012Validator
from loopback import service
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_bridge import ERAS, Era, answer, in_memory, refusal, said
from scripted_speech import Script, scripted_service

from emotional_ai import Client as Service
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.stimuli import CHEMICALS

Answer = dict[str, Any]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


@pytest.fixture
def session(request: pytest.FixtureRequest, era: Era) -> str:
    """A session of the test's own."""
    return f"{request.node.originalname}.{era}"


async def asked(client: Client, name: str, **arguments: object) -> Answer:
    """What a tool answers, once it is sure that text and structure agree and are as the tool says they are."""
    result = await client.call_tool(name, arguments)
    structure = answer(result)
    assert said(result).strip()
    assert isinstance(result.content[1], types.TextContent)
    assert json.loads(result.content[1].text) == structure
    listed = {one.name: one.output_schema for one in (await client.list_tools()).tools}
    Draft202012Validator(listed[name]).validate(structure)
    for number in numbers(structure):
        assert number == round(number, 4)
    return structure


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from numbers(one)


async def test_a_state_is_told_with_its_levels_beside_their_rest(address: str, era: Era, session: str) -> None:
    async with in_memory(Settings(address, session=session), era) as client:
        state = await asked(client, "get_emotional_state")
        words = said(await client.call_tool("get_emotional_state", {}))
    assert state["session_id"] == session
    assert state["label"] == "neutral"
    assert state["valence"] == state["arousal"] == 0
    assert all(state[name] == state[f"{name}_at_rest"] for name in CHEMICALS)
    assert state["mood_in_words"] in words
    assert all(name in words for name in CHEMICALS)


async def test_signals_move_the_state_and_the_changes_are_told(address: str, era: Era, session: str) -> None:
    async with in_memory(Settings(address, session=session), era) as client:
        before = await asked(client, "get_emotional_state")
        moved = await asked(client, "update_emotion", reward=0.8, praise=0.5, note="a gift")
        result = await client.call_tool("update_emotion", {"threat": 0.1})
    assert moved["heard"] == {"reward": 0.8, "praise": 0.5}
    assert moved["version"] == before["version"] + 1
    assert moved["dopamine_change"] == pytest.approx(moved["dopamine"] - before["dopamine"], abs=2e-3)
    assert moved["dopamine_change"] > 0.1
    assert moved["valence"] > 0
    assert said(result).startswith("Applied threat 0.10: ")
    with Service(address) as there:
        stimuli = [one.stimulus for one in there.history(session).entries if one.HasField("stimulus")]
    assert [one.note for one in stimuli] == ["a gift", ""]


async def test_text_is_heard_by_the_engine_and_its_signals_applied(era: Era) -> None:
    with scripted_service(Script()) as speaking:
        async with in_memory(Settings(speaking), era) as client:
            moved = await asked(client, "update_emotion", text="that was kind of you")
            nothing = await asked(client, "update_emotion", text="the meeting is at ten")
    assert moved["heard"] == {"social_warmth": 0.8, "praise": 0.4}
    assert moved["oxytocin_change"] > 0.05
    assert nothing["heard"] == {}
    assert nothing["version"] == moved["version"]


async def test_signals_are_held_for_simulated_minutes(address: str, era: Era, session: str) -> None:
    async with in_memory(Settings(address, session=session), era) as client:
        held = await asked(client, "update_emotion", relaxation=0.4, minutes=90)
        state = await asked(client, "get_emotional_state")
    assert held["heard"] == state["sustained"] == {"relaxation": 0.4}
    with Service(address) as there:
        (entry,) = [one for one in there.history(session).entries if one.HasField("stimulus")]
    assert entry.stimulus.sustained.duration_minutes == 90


async def test_an_explanation_says_what_moved_what_in_numbers_that_add_up(address: str, era: Era, session: str) -> None:
    async with in_memory(Settings(address, session=session), era) as client:
        for arguments in ({"reward": 0.7}, {"threat": 0.6, "note": "a dog"}, {"praise": 0.3}):
            await client.call_tool("update_emotion", arguments)
        why = await asked(client, "explain_emotion", limit=2)
        short = await asked(client, "explain_emotion", limit=0)
        last = await asked(client, "explain_emotion", minutes=5)
    assert len(why["events"]) == 2
    assert why["events_left_out"] == 1
    assert 'threat 0.60 ("a dog"): ' in why["events"][0]
    assert "praise 0.30: " in why["events"][1]
    assert any("reward" in sentence for sentence in why["sentences"])
    for name in CHEMICALS:
        parts = [value for cause, value in why["contributions"].items() if cause.startswith(f"{name} by ")]
        assert sum(parts) == pytest.approx(why["contributions"][f"{name} change"], abs=1e-3)
    assert why["contributions"]["dopamine by reward"] > 0.05
    assert short["events"] == []
    assert short["events_left_out"] == len(last["events"]) == 3
    assert last["begin"] == short["begin"]


async def test_sessions_are_listed_in_order_once_they_are_made(era: Era) -> None:
    with service() as fresh:
        async with in_memory(Settings(fresh), era) as client:
            none = await asked(client, "list_emotion_sessions")
            for name in ("bob", "ada"):
                await asked(client, "update_emotion", reward=0.5, session_id=name, create_session=True)
            two = await asked(client, "list_emotion_sessions")
    assert none == {"sessions": [], "complete": True}
    assert two == {"sessions": ["ada", "bob"], "complete": True}


async def test_a_reset_puts_a_session_back_to_rest(address: str, era: Era, session: str) -> None:
    async with in_memory(Settings(address, session=session), era) as client:
        await asked(client, "update_emotion", loss=0.9, conflict=0.9)
        back = await asked(client, "reset_emotion")
    assert back["label"] == "neutral"
    assert all(back[name] == pytest.approx(back[f"{name}_at_rest"], abs=1e-3) for name in CHEMICALS)


async def test_the_status_says_where_the_engine_is_and_that_it_cannot_speak(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        status = await asked(client, "engine_status")
    assert (status["up"], status["target"], status["language"]) == (True, address, "off")
    assert status["detail"]


async def test_a_call_that_names_no_session_makes_and_uses_the_bridges_own(era: Era) -> None:
    with service() as fresh:
        async with in_memory(Settings(fresh, session="mine"), era) as client:
            assert (await asked(client, "explain_emotion"))["session_id"] == "mine"
            assert (await asked(client, "update_emotion", reward=0.5))["session_id"] == "mine"
            assert (await asked(client, "list_emotion_sessions"))["sessions"] == ["mine"]


async def test_a_tool_that_is_not_offered_is_an_error_that_names_those_that_are(address: str, era: Era) -> None:
    async with in_memory(Settings(address, read_only=True), era) as client:
        with pytest.raises(MCPError, match="no tool 'update_emotion'; this bridge offers get_emotional_state, explain"):
            await client.call_tool("update_emotion", {"reward": 1})


async def test_a_refused_call_is_an_answer_and_the_next_one_is_served(address: str, era: Era, session: str) -> None:
    async with in_memory(Settings(address, session=session), era) as client:
        refused = refusal(await client.call_tool("update_emotion", {"reward": 5}))
        assert refused == "[INVALID_ARGUMENT] reward must be at most 1, got 5"
        assert (await asked(client, "update_emotion", reward=0.5))["version"] == 2
