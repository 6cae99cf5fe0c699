"""Prompts and completions in both eras."""

from collections.abc import Iterator

import mcp_types as types
import pytest
from loopback import PATIENCE, service
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_bridge import ERAS, Era, in_memory
from ports import nowhere

from emotional_ai import Client as Service
from emotional_ai.mcp_bridge import engine, uris
from emotional_ai.mcp_bridge.server import MOST_COMPLETIONS
from emotional_ai.mcp_bridge.settings import Settings

TEMPLATE = types.ResourceTemplateReference(uri=uris.STATE)
PROMPT = types.PromptReference(name="describe_state")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running, Service(running) as there:
        there.create_session("ada")
        there.apply("ada", reward=0.9, praise=0.9)
        for number in range(MOST_COMPLETIONS + 1):
            there.create_session(f"many{number:03}")
        yield running


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list waits for the service as long as a test does: what is listed does not hang on the speed of the machine."""
    monkeypatch.setattr(engine, "GLANCE", PATIENCE)


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


async def prompt(client: Client, name: str, **arguments: str) -> str:
    """The text of a prompt."""
    filled = await client.get_prompt(name, arguments)
    (message,) = filled.messages
    assert message.role == "user"
    assert isinstance(message.content, types.TextContent)
    assert filled.description
    return message.content.text


async def refused(client: Client, name: str, **arguments: str) -> str:
    with pytest.raises(MCPError) as caught:
        await client.get_prompt(name, arguments)
    assert caught.value.code == types.INVALID_PARAMS
    return str(caught.value)


async def completed(client: Client, value: str, name: str = "session_id") -> types.Completion:
    by_template = (await client.complete(TEMPLATE, {"name": name, "value": value})).completion
    by_prompt = (await client.complete(PROMPT, {"name": name, "value": value})).completion
    assert by_template == by_prompt
    return by_template


async def test_prompts_are_listed_with_the_engine_down(era: Era) -> None:
    async with in_memory(Settings(nowhere()), era) as client:
        listed = {one.name: one for one in (await client.list_prompts()).prompts}
    takes = {name: [argument.name for argument in one.arguments or []] for name, one in listed.items()}
    assert takes == {
        "reply_in_character": ["message", "session_id"],
        "describe_state": ["session_id"],
        "reflect_on_change": ["session_id", "minutes"],
    }
    assert all(one.title and one.description for one in listed.values())


async def test_a_reply_in_character_holds_the_message_and_the_state_of_the_moment(address: str, era: Era) -> None:
    with Service(address) as there:
        there.create_session(f"moment.{era}")
        async with in_memory(Settings(address, session=f"moment.{era}"), era) as client:
            calm = await prompt(client, "reply_in_character", message="How are you?")
            there.apply(f"moment.{era}", threat=0.9, uncertainty=0.9)
            afraid = await prompt(client, "reply_in_character", message="How are you?")
        there.delete_session(f"moment.{era}")
    assert calm.endswith("How are you?")
    assert f"moment.{era} feels neutral" in calm
    assert afraid.endswith("How are you?")
    assert "cortisol 0.30, at rest" in calm
    assert "cortisol 0.30, at rest" not in afraid


async def test_a_description_and_a_reflection_hold_what_they_are_about(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        described = await prompt(client, "describe_state", session_id="ada")
        reflected = await prompt(client, "reflect_on_change", session_id="ada")
        lately = await prompt(client, "reflect_on_change", session_id="ada", minutes="1.5")
    assert "ada feels " in described
    assert "reward" in reflected
    assert "praise" in reflected
    assert "ada" in lately


async def test_an_unknown_prompt_is_an_error_that_names_those_there_are(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        told = await refused(client, "sing")
    assert "no prompt 'sing'; there are reply_in_character, describe_state, reflect_on_change" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "message is missing; reply_in_character takes message, session_id"),
        ({"message": "  "}, "message is missing"),
        ({"message": "hi", "mood": "sad"}, "mood is not an argument; reply_in_character takes message, session_id"),
        ({"message": "a" * 40_000}, "message has 40000 characters; at most 32768 are allowed"),
        ({"message": "hi", "session_id": "nobody"}, "no session 'nobody'; there are ada"),
        ({"message": "hi", "session_id": "x" * 200}, "session_id is longer than the 128 characters allowed"),
    ],
)
async def test_a_wrong_argument_is_named_with_what_is_allowed(
    address: str, era: Era, arguments: dict[str, str], words: str
) -> None:
    async with in_memory(Settings(address), era) as client:
        told = await refused(client, "reply_in_character", **arguments)
    assert words in told
    assert len(told) < 500


@pytest.mark.parametrize("minutes", ["soon", "-1", "nan", "inf", "1e9"])
async def test_minutes_that_are_none_are_refused(address: str, era: Era, minutes: str) -> None:
    async with in_memory(Settings(address), era) as client:
        told = await refused(client, "reflect_on_change", session_id="ada", minutes=minutes)
    assert f"minutes must be a number in [0, 10000000], got {minutes!r}" in told


async def test_a_prompt_with_the_engine_down_says_how_to_start_it(era: Era) -> None:
    async with in_memory(Settings(nowhere()), era) as client:
        with pytest.raises(MCPError, match=r"\[UNAVAILABLE\] .*emotional-ai serve"):
            await client.get_prompt("describe_state", {})


async def test_ids_of_sessions_complete_by_their_beginning(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        assert await completed(client, "a") == types.Completion(values=["ada"], has_more=False)
        assert await completed(client, "many07") == types.Completion(
            values=[f"many07{digit}" for digit in range(10)], has_more=False
        )
        assert (await completed(client, "zz")).values == []
        assert (await completed(client, "ad", name="message")).values == []


async def test_at_most_a_hundred_ids_are_completed_and_more_are_announced(address: str, era: Era) -> None:
    async with in_memory(Settings(address), era) as client:
        many = await completed(client, "many")
    assert many.values == [f"many{number:03}" for number in range(MOST_COMPLETIONS)]
    assert many.has_more is True


async def test_nothing_completes_with_the_engine_down(era: Era) -> None:
    async with in_memory(Settings(nowhere()), era) as client:
        assert await completed(client, "a") == types.Completion(values=[], has_more=False)
