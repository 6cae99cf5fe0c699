"""Arguments of tools that are wrong are refused in words of our own: which, what is allowed, what was given."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import field_validator

from emotional_ai.mcp_bridge.arguments import LONGEST_SHOWN, MOST_TOLD, WORDS, Arguments, read
from emotional_ai.mcp_bridge.refusals import Refused
from emotional_ai.mcp_bridge.tool import Tool
from emotional_ai.mcp_bridge.tools import TOOLS
from emotional_ai.mcp_bridge.tools.explaining import Why
from emotional_ai.mcp_bridge.tools.speaking import Prompt
from emotional_ai.mcp_bridge.tools.training import Named, Training
from emotional_ai.mcp_bridge.tools.updating import Happening

WRONG = {
    "extra_forbidden": (Named, {"job_id": "j", "job": 1}, "job is not an argument; tool takes job_id"),
    "missing": (Named, {}, "job_id is missing"),
    "string_type": (Happening, {"text": 5}, "text must be text, got 5"),
    "string_unicode": (Happening, {"text": "\ud800"}, "text must be text of whole characters, got '\\ud800'"),
    "string_too_short": (Prompt, {"prompt": ""}, "prompt must not be empty, got ''"),
    "string_too_long": (
        Happening,
        {"text": "a" * 1_000_000},
        "text is longer than the 32768 characters allowed, got 1000000 characters",
    ),
    "float_type": (Happening, {"reward": "0.5"}, "reward must be a number, got '0.5'"),
    "int_type": (Why, {"limit": 2.5}, "limit must be a whole number, got 2.5"),
    "finite_number": (Happening, {"loss": float("nan")}, "loss must be a finite number, got nan"),
    "greater_than_equal": (Happening, {"praise": -0.25}, "praise must be at least 0, got -0.25"),
    "less_than_equal": (Why, {"minutes": 1e9}, "minutes must be at most 10000000, got 1000000000"),
    "bool_type": (Happening, {"create_session": "yes"}, "create_session must be true or false, got 'yes'"),
    "literal_error": (
        Training,
        {"recipe": "everything"},
        "recipe must be 'conditioning', 'state-adapters', 'curiosity' or 'all', got 'everything'",
    ),
    "list_type": (Training, {"states": "calm"}, "states must be a list, got 'calm'"),
    "too_long": (Training, {"states": ["a"] * 65}, 'states has more than the 64 entries allowed, got ["a", "a",'),
}
"""For each kind of fault, arguments that have it and what is said."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=70) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


class Picky(Arguments):
    """Arguments that are refused in words of their own."""

    shape: str

    @field_validator("shape")
    @classmethod
    def _in_braces(cls, _: str) -> str:
        raise ValueError("must look like {x}")


def refused(kind: Any, arguments: dict[str, Any]) -> str:
    with pytest.raises(Refused) as caught:
        read(kind, arguments, "tool")
    return str(caught.value)


@pytest.mark.parametrize("fault", WORDS)
def test_every_fault_is_told_in_words(fault: str) -> None:
    kind, arguments, words = WRONG[fault]
    told = refused(kind, arguments)
    assert told.startswith(f"[INVALID_ARGUMENT] {words}")
    assert len(told) < 300


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
@given(data=st.data())
def test_no_value_of_any_argument_is_told_in_words_of_a_library(tool: Tool[Any], data: st.DataObject) -> None:
    names = st.sampled_from([*tool.takes.model_fields, "unknown"])
    arguments = data.draw(st.dictionaries(names, JSON, max_size=3))
    try:
        read(tool.takes, arguments, tool.name)
    except Refused as error:
        told = str(error)
        assert "should" not in re.sub(r"got .*", "", told)
        assert any(name in told for name in [*tool.takes.model_fields, "unknown"])


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = refused(Happening, {"reward": 2, "loss": True, "joy": 1})
    assert (
        "reward must be at most 1, got 2; loss must be a number, got true; joy is not an argument; tool takes text,"
        in told
    )


def test_an_entry_of_a_list_is_named_by_its_place() -> None:
    assert "states.1 must be text, got 7" in refused(Training, {"states": ["calm", 7]})


def test_what_is_given_is_said_back_in_part() -> None:
    told = refused(Why, {"limit": ["a" * 1000]})
    assert told.endswith("...")
    assert len(told) < 60 + LONGEST_SHOWN


def test_a_call_full_of_nonsense_is_refused_in_a_page() -> None:
    told = refused(Why, {f"{number} {'a' * 100_000}": number for number in range(1000)})
    assert len(told) < 2500
    assert f"; and {1000 - MOST_TOLD} more; tool takes session_id, minutes, limit" in told


def test_words_of_an_argument_of_its_own_may_hold_braces() -> None:
    assert refused(Picky, {"shape": "x"}) == "[INVALID_ARGUMENT] shape Value error, must look like {x}, got 'x'"


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read(Why, {"limit": 5.0, "minutes": 3}, "tool") == Why(limit=5, minutes=3.0)
