"""Bad input is refused by name over the wire, with what is allowed, and moves nothing."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from loopback import service
from mcp.shared.exceptions import MCPError
from mcp_bridge import ERAS, EVERYTHING, MODERN, Era, answer, in_memory, refusal, started

from emotional_ai import SIGNALS
from emotional_ai import Client as Service
from emotional_ai.mcp_bridge import uris
from emotional_ai.mcp_bridge.settings import Settings, Toolset

LONG = "a" * 1_000_000
NUMBERS = [1.5, -0.1, 1e308, True, None, "0.5", "", [], {}]
"""What is no intensity."""

BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "no-text-no-signals": (
        "update_emotion",
        {},
        "nothing happens: give text, or signals above 0; the signals are reward, ",
    ),
    "signals-of-zero": ("update_emotion", {"reward": 0, "loss": 0.0}, "nothing happens"),
    "whitespace": ("update_emotion", {"text": " \n\t "}, "nothing happens"),
    "both": (
        "update_emotion",
        {"text": "hooray", "reward": 0.5, "praise": 0.1},
        "text and signals (reward, praise) are both given; give one of them",
    ),
    "unknown-signal": ("update_emotion", {"joy": 0.5}, "joy is not an argument; update_emotion takes text, reward, "),
    "unknown-argument": (
        "get_emotional_state",
        {"session": "a"},
        "session is not an argument; get_emotional_state takes",
    ),
    "no-arguments-taken": ("list_emotion_sessions", {"all": True}, "list_emotion_sessions takes no arguments"),
    "text-of-a-megabyte": (
        "update_emotion",
        {"text": LONG},
        "text is longer than the 32768 characters allowed, got 1000000 characters",
    ),
    "note": ("update_emotion", {"reward": 1, "note": "n" * 257}, "note is longer than the 256 characters allowed"),
    "minutes": ("update_emotion", {"reward": 1, "minutes": -1}, "minutes must be at least 0, got -1"),
    "text-of-another-type": ("update_emotion", {"text": ["hooray"]}, 'text must be text, got ["hooray"]'),
    "long-session": ("get_emotional_state", {"session_id": "s" * 200}, "session_id is longer than the 128 characters"),
    "session-of-another-type": ("get_emotional_state", {"session_id": 7}, "session_id must be text, got 7"),
    "limit": ("explain_emotion", {"limit": 101}, "limit must be at most 100, got 101"),
    "limit-with-a-fraction": ("explain_emotion", {"limit": 2.5}, "limit must be a whole number, got 2.5"),
    "minutes-back": ("explain_emotion", {"minutes": -5}, "minutes must be at least 0, got -5"),
    "empty-prompt": ("generate_reply", {"prompt": ""}, "prompt must not be empty, got"),
    "no-prompt": ("generate_reply", {}, "prompt is missing"),
    "no-tokens": ("generate_reply", {"prompt": "hi", "max_tokens": 0}, "max_tokens must be at least 1, got 0"),
    "seed": ("generate_reply", {"prompt": "hi", "seed": -2}, "seed must be at least -1, got -2"),
    "recipe": (
        "start_training",
        {"recipe": "joy"},
        "recipe must be 'conditioning', 'state-adapters', 'curiosity' or 'all'",
    ),
    "cost": ("start_training", {"max_cost_usd": -1}, "max_cost_usd must be at least 0, got -1"),
    "no-job": ("cancel_training", {}, "job_id is missing"),
}
"""Calls that are refused, and with what words."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


async def refused(address: str, name: str, arguments: dict[str, Any], era: Era = MODERN) -> str:
    """What a call is told, once it is sure that it moved nothing and made nothing."""
    async with in_memory(Settings(address, toolsets=EVERYTHING), era) as client:
        before = answer(await client.call_tool("get_emotional_state", {}))["version"]
        sessions = answer(await client.call_tool("list_emotion_sessions", {}))
        words = refusal(await client.call_tool(name, arguments))
        assert answer(await client.call_tool("get_emotional_state", {}))["version"] == before
        assert answer(await client.call_tool("list_emotion_sessions", {})) == sessions
    return words


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("case", BAD)
async def test_a_wrong_call_is_refused_by_name_and_moves_nothing(address: str, case: str, era: Era) -> None:
    name, arguments, says = BAD[case]
    words = await refused(address, name, arguments, era)
    assert words.startswith("[INVALID_ARGUMENT] ")
    assert says in words
    assert len(words) < 600


@pytest.mark.parametrize("value", NUMBERS, ids=json.dumps)
@pytest.mark.parametrize("name", SIGNALS)
async def test_what_is_no_number_in_the_unit_interval_is_no_intensity(address: str, name: str, value: object) -> None:
    words = await refused(address, "update_emotion", {name: value})
    assert words.startswith(f"[INVALID_ARGUMENT] {name} must be ")
    assert words.endswith(f"got {value!r}" if isinstance(value, str) else f"got {json.dumps(value)}") or value == 1e308


async def test_an_unknown_signal_is_told_with_those_there_are(address: str) -> None:
    words = await refused(address, "update_emotion", {"happiness": 0.5, "reward": 0.2})
    assert all(name in words for name in SIGNALS)


def test_a_number_that_is_not_finite_never_reaches_the_engine(address: str) -> None:
    # Clients send null for these; a program of its own may write what JSON does not know.
    values = ["NaN", "Infinity", "-Infinity", "1e999"]
    told = told_raw(
        address, [f'{{"session_id": "endless", "create_session": true, "reward": {one}}}' for one in values]
    )
    assert all(words.startswith("[INVALID_ARGUMENT] reward must be a finite number, got ") for words in told)
    assert len(told) == len(values)
    with Service(address) as there:
        assert "endless" not in [one.session_id for one in there.list_sessions()]


def told_raw(address: str, calls: list[str]) -> list[str]:
    """What calls of update_emotion are told whose arguments are these texts, by a bridge that gets the bytes as they are."""
    opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    with started(address) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = [
            json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": opening}),
            '{"jsonrpc": "2.0", "method": "notifications/initialized"}',
            *(
                f'{{"jsonrpc": "2.0", "id": {number}, "method": "tools/call", "params": '
                f'{{"name": "update_emotion", "arguments": {arguments}}}}}'
                for number, arguments in enumerate(calls, 1)
            ),
        ]
        process.stdin.writelines(f"{line}\n" for line in lines)
        process.stdin.flush()
        process.stdout.readline()
        results = [json.loads(process.stdout.readline())["result"] for _ in calls]
    return [result["content"][0]["text"] for result in results]


@pytest.mark.parametrize("session_id", ["\x00", "a b", "-a", "../etc", "é", "a" * 128 + "\n", "\U0001f600"], ids=ascii)
async def test_a_session_is_not_made_under_an_id_that_is_none(address: str, session_id: str) -> None:
    arguments = {"reward": 0.5, "session_id": session_id, "create_session": True}
    words = await refused(address, "update_emotion", arguments)
    assert words.startswith("[INVALID_ARGUMENT] ")
    assert "128 characters" in words


@pytest.mark.parametrize("session_id", ["a/b", "-x", "%2F", "\U0001f600"], ids=ascii)
@pytest.mark.parametrize("name", ["get_emotional_state", "explain_emotion", "reset_emotion", "generate_reply"])
async def test_an_id_that_no_session_can_have_is_refused_with_the_rule(
    address: str, name: str, session_id: str
) -> None:
    arguments = {"session_id": session_id} | ({"prompt": "hi"} if name == "generate_reply" else {})
    words = await refused(address, name, arguments)
    rule = "a session id has 1..128 characters of letters, digits, '-', '_', '.', ':', beginning with a letter or digit"
    assert words == f"[INVALID_ARGUMENT] {rule}, got {session_id!r} ({len(session_id)} characters)"


async def test_a_reply_where_nothing_can_speak_is_not_told_to_give_signals(address: str) -> None:
    words = await refused(address, "generate_reply", {"prompt": "hi"})
    assert words.endswith("this service was started with --engine-only; have it started without --engine-only")


async def test_advice_names_only_tools_that_are_offered(address: str) -> None:
    silent = Settings(address, toolsets=frozenset({Toolset.TRAINING, Toolset.INFERENCE}))
    async with in_memory(silent) as client:
        with pytest.raises(MCPError, match="no session 'nobody'; there are ") as caught:
            await client.read_resource(uris.state_of("nobody"))
    assert "update_emotion" not in str(caught.value)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_emotional_state", {}),
        ("update_emotion", {"reward": 0.5}),
        ("explain_emotion", {"minutes": 5}),
        ("reset_emotion", {}),
    ],
)
async def test_an_unknown_session_is_told_with_those_there_are_and_how_one_is_made(
    address: str, name: str, arguments: dict[str, Any], era: Era
) -> None:
    words = await refused(address, name, {**arguments, "session_id": "defualt"}, era)
    assert re.fullmatch(
        r"\[NOT_FOUND\] no session 'defualt'; there are .*\bdefault\b.*; update_emotion with create_session makes one",
        words,
    )


async def test_of_many_sessions_ten_are_named_and_where_nothing_may_be_made_nothing_is_said_of_it() -> None:
    with service() as fresh:
        async with in_memory(Settings(fresh, session="none-yet", read_only=True)) as client:
            none = refusal(await client.call_tool("get_emotional_state", {}))
            with Service(fresh) as there:
                for number in range(12):
                    there.create_session(f"s{number:02}")
            many = refusal(await client.call_tool("get_emotional_state", {}))
    assert none == "[NOT_FOUND] no session 'none-yet'; there are none yet"
    assert (
        many == f"[NOT_FOUND] no session 'none-yet'; there are {', '.join(f's{one:02}' for one in range(10))} and more"
    )


async def test_a_text_that_cannot_be_heard_makes_no_session(address: str) -> None:
    arguments = {"text": "hooray", "session_id": "unheard", "create_session": True}
    words = await refused(address, "update_emotion", arguments)
    assert words.startswith("[FAILED_PRECONDITION] this service was started with --engine-only; ")
    assert words.endswith("have it started without --engine-only, or give signals instead of text")
