"""Tools as clients see them: flat, described, hinted, and the same as the committed snapshot."""

import json
import re
from collections.abc import Iterator
from itertools import chain, combinations
from typing import Any

import pytest
from mcp_bridge import ERAS, EVERYTHING, Era, in_memory
from mcp_snapshot import AGAIN, FILE, spelled, tools
from ports import nowhere

from emotional_ai import SIGNALS
from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.mcp_bridge.tools import TOOLS, offered

COMBINATIONS = {"$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "not", "if", "prefixItems"}
"""What loses tools in some clients, or breaks their chat."""
HINTS = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
TOOLSETS = [frozenset(some) for some in chain.from_iterable(combinations(Toolset, size) for size in range(4))]
"""Every subset."""

SNAPSHOT: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
ONE = pytest.mark.parametrize("tool", SNAPSHOT, ids=[one["name"] for one in SNAPSHOT])


def keys(schema: object) -> Iterator[str]:
    """Every key anywhere in a schema but names of properties."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield key
            yield from keys(list(value.values()) if key == "properties" else value)
    elif isinstance(schema, list):
        for one in schema:
            yield from keys(one)


def test_the_list_of_tools_is_the_one_that_was_committed() -> None:
    assert FILE.read_text(encoding="utf-8") == spelled(tools()), (
        f"the tools have changed; if they should, run `{AGAIN}`"
    )


@pytest.mark.parametrize("era", ERAS)
async def test_the_list_is_the_same_over_the_wire_with_the_engine_down(era: Era) -> None:
    async with in_memory(Settings(nowhere(), toolsets=EVERYTHING), era) as client:
        listed = (await client.list_tools()).tools
    assert [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in listed] == SNAPSHOT


@ONE
def test_schemas_are_flat(tool: dict[str, Any]) -> None:
    for schema in (tool["inputSchema"], tool["outputSchema"]):
        assert schema["type"] == "object"
        assert COMBINATIONS.isdisjoint(keys(schema))
    types = {name: one["type"] for name, one in tool["inputSchema"]["properties"].items()}
    assert set(types.values()) <= {"string", "number", "integer", "boolean", "array"}
    lists = [one["items"]["type"] for one in tool["inputSchema"]["properties"].values() if one["type"] == "array"]
    assert set(lists) <= {"string"}


@ONE
def test_answers_hold_plain_values_lists_of_text_and_numbers_by_name(tool: dict[str, Any]) -> None:
    for one in tool["outputSchema"]["properties"].values():
        match one["type"]:
            case "object":
                assert one["additionalProperties"]["type"] == "number"
            case "array":
                assert one["items"] == {"type": "string"}
            case kind:
                assert kind in ("string", "number", "integer", "boolean")


@ONE
def test_every_argument_is_described_with_its_unit_or_range(tool: dict[str, Any]) -> None:
    for name, one in tool["inputSchema"]["properties"].items():
        assert len(one["description"]) > 10, name
        if one["type"] in ("number", "integer"):
            assert {"minimum", "maximum"} <= set(one), name
            assert re.search(r"\d|minutes|dollars|tokens|Seed", one["description"]), name
        if one["type"] == "string" and "enum" not in one:
            assert one["maxLength"] <= 32768, name
    assert tool["inputSchema"]["additionalProperties"] is False


@ONE
def test_every_field_of_an_answer_is_described(tool: dict[str, Any]) -> None:
    for name, field in tool["outputSchema"]["properties"].items():
        assert field.get("description"), f"{tool['name']}.{name}"


@ONE
def test_every_hint_is_stated_and_only_a_change_destroys(tool: dict[str, Any]) -> None:
    hints = tool["annotations"]
    assert {name: type(hints[name]) for name in HINTS} == dict.fromkeys(HINTS, bool)
    assert not (hints["readOnlyHint"] and hints["destructiveHint"])
    assert hints["idempotentHint"] or not hints["readOnlyHint"]
    assert tool["title"] == hints["title"]


@ONE
def test_names_are_such_that_every_client_takes_them(tool: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,63}", tool["name"])
    for name in (*tool["inputSchema"]["properties"], *tool["outputSchema"]["properties"]):
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
    assert 40 < len(tool["description"]) < 1024
    assert tool["description"] == tool["description"].strip()


def test_update_emotion_takes_exactly_the_signals_there_are() -> None:
    (tool,) = [one for one in SNAPSHOT if one["name"] == "update_emotion"]
    arguments = tool["inputSchema"]["properties"]
    assert [name for name, one in arguments.items() if one.get("maximum") == 1] == list(SIGNALS)
    assert all(arguments[name]["minimum"] == arguments[name]["default"] == 0 for name in SIGNALS)
    assert all(name in tool["description"] for name in SIGNALS)


async def test_the_default_that_is_listed_is_the_bridges_own_session() -> None:
    async with in_memory(Settings(nowhere(), session="ada")) as client:
        listed = (await client.list_tools()).tools
    named = {one.name: one.input_schema["properties"].get("session_id", {}).get("default") for one in listed}
    assert named["get_emotional_state"] == "ada"
    assert set(named.values()) == {"ada", None}


@pytest.mark.parametrize("toolsets", TOOLSETS, ids=lambda some: "+".join(sorted(one.value for one in some)) or "none")
@pytest.mark.parametrize("read_only", [False, True], ids=["all", "read-only"])
def test_a_bridge_offers_the_tools_of_its_toolsets_and_read_only_none_that_changes(
    toolsets: frozenset[Toolset], read_only: bool
) -> None:
    names = {tool.name for tool in TOOLS if tool.toolset in toolsets}
    changing = {"update_emotion", "reset_emotion", "generate_reply", "start_training", "cancel_training"}
    assert set(offered(Settings(toolsets=toolsets, read_only=read_only))) == names - (changing if read_only else set())


def test_where_no_toolset_is_named_the_emotional_tools_are_offered() -> None:
    assert list(offered(Settings())) == [tool.name for tool in TOOLS if tool.toolset is Toolset.EMOTION]
    assert set(offered(Settings(read_only=True))) == {
        "get_emotional_state",
        "explain_emotion",
        "list_emotion_sessions",
        "engine_status",
    }
