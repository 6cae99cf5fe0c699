"""The bridge's entry in settings of any kind: what is not ours stays, and the second time nothing is left to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.kiro import Entry, Flags, SettingsBroken, bridge_entry, entry, flags, merged, remarks

PATH = Path("mcp.json")
PYTHON = Path("/opt/with space/bin/python")
WANTED = bridge_entry(PYTHON, Flags())
SERVERS, SERVER = "mcpServers", "emotion_engine"

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
texts = st.lists(st.text(max_size=8), max_size=3)
entries = st.fixed_dictionaries(
    {},
    optional={
        "command": values,
        "args": values,
        "env": st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
        "disabled": st.booleans(),
        "autoApprove": texts,
        "disabledTools": texts,
        "timeout": values,
        "": values,
    },
)
servers = st.builds(
    lambda before, ours, after: before | ours | after,
    st.dictionaries(st.text(max_size=8), values, max_size=2),
    st.fixed_dictionaries({}, optional={SERVER: entries}),
    st.dictionaries(st.text(max_size=8), values, max_size=2),
)
settings = st.builds(
    lambda before, ours, after: before | ours | after,
    st.dictionaries(st.text(max_size=8), values, max_size=2),
    st.fixed_dictionaries({}, optional={SERVERS: servers}),
    st.dictionaries(st.text(max_size=8), values, max_size=2),
)


@st.composite
def layouts(draw: st.DrawFn, whole: st.SearchStrategy[dict[str, Any]] = settings) -> str:
    """Settings as somebody may have written them."""
    text = json.dumps(
        draw(whole),
        indent=draw(st.sampled_from([None, 1, 2, 4, "\t"])),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")])),
    )
    around = draw(st.sampled_from(["", "\n", " \n\t"]))
    return f"{around}{text}{around}".replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def without_ours(whole: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """What is not ours, in order: of the root, and of the servers."""
    others = [(key, value) for key, value in whole.items() if key != SERVERS]
    return others, [(key, value) for key, value in whole.get(SERVERS, {}).items() if key != SERVER]


@given(layouts())
def test_what_is_not_ours_is_the_same_before_and_after(text: str) -> None:
    before, after = json.loads(text), json.loads(merged(text, WANTED, PATH).text)
    assert without_ours(after) == without_ours(before)
    there, now = before.get(SERVERS, {}).get(SERVER, {}), after[SERVERS][SERVER]
    assert {key: now[key] for key in there if key not in ("command", "args")} == {
        key: value for key, value in there.items() if key not in ("command", "args")
    }
    assert list(now)[: len(there)] == list(there)
    assert now == WANTED.members() | there | {"command": str(PYTHON), "args": ["-P", "-m", "emotional_ai.mcp_bridge"]}


@given(layouts())
def test_a_second_installation_changes_nothing(text: str) -> None:
    once = merged(text, WANTED, PATH)
    twice = merged(once.text, WANTED, PATH)
    assert twice.changes == ()
    assert twice.text == once.text


@given(layouts())
def test_changes_are_told_exactly_when_there_are_any(text: str) -> None:
    after = merged(text, WANTED, PATH)
    assert bool(after.changes) == (after.text != text)


@given(layouts())
def test_what_is_installed_is_what_is_found(text: str) -> None:
    found = entry(merged(text, WANTED, PATH).text, PATH)
    assert found is not None
    assert (found.command, found.args) == (WANTED.command, WANTED.args)


@given(layouts(settings.map(lambda whole: whole | {SERVERS: dict(without_ours(whole)[1])})))
def test_an_entry_is_put_between_characters_that_all_stay(text: str) -> None:
    after = merged(text, WANTED, PATH).text
    start = next((at for at, (one, other) in enumerate(zip(text, after, strict=False)) if one != other), len(text))
    kept = text[start:]
    assert after.endswith(kept)
    assert len(after) - len(text) >= len(json.dumps(WANTED.members(), separators=(",", ":")))


@pytest.mark.parametrize("indent", ["  ", "    ", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_entry_is_written_in_the_indentation_and_with_the_line_ends_that_are_there(
    indent: str, newline: str
) -> None:
    def written(whole: object) -> str:
        return json.dumps(whole, indent=indent).replace("\n", newline)

    before = {"a": 1, SERVERS: {"other": {"command": "x"}}}
    after = merged(written(before), WANTED, PATH).text
    lists = {"args": WANTED.args, "autoApprove": WANTED.auto_approve}
    expected = written(before | {SERVERS: {"other": {"command": "x"}, SERVER: WANTED.members() | dict.fromkeys(lists)}})
    for name, value in lists.items():
        expected = expected.replace(f'"{name}": null', f'"{name}": {json.dumps(list(value))}')
    assert after == expected


def test_new_settings_are_the_entry_alone() -> None:
    after = merged(None, WANTED, PATH)
    assert after.changes == ("emotion_engine added",)
    assert after.text.endswith("}\n")
    assert json.loads(after.text) == {
        SERVERS: {
            SERVER: {
                "command": "/opt/with space/bin/python",
                "args": ["-P", "-m", "emotional_ai.mcp_bridge"],
                "env": {},
                "disabled": False,
                "autoApprove": ["get_emotional_state", "update_emotion"],
                "disabledTools": [],
            }
        }
    }


def test_what_changed_is_told_with_what_was() -> None:
    text = json.dumps({SERVERS: {SERVER: WANTED.members() | {"command": "/old/python", "disabled": True}}})
    assert merged(text, WANTED, PATH).changes == ('command was "/old/python", is now "/opt/with space/bin/python"',)


def test_only_flags_that_are_given_are_passed_on() -> None:
    assert bridge_entry(
        PYTHON, Flags(target="h:1", session="a b", toolsets="emotion", autostart=True, read_only=True)
    ).args == (
        *("-P", "-m", "emotional_ai.mcp_bridge", "--target", "h:1", "--session", "a b"),
        *("--toolsets", "emotion", "--autostart", "--read-only"),
    )


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("-P", "-m", "emotional_ai.mcp_bridge", "--session", "a", "--read-only"), Flags(session="a", read_only=True)),
        (("-m", "emotional_ai.mcp_bridge", "--toolsets=emotion,training"), Flags(toolsets="emotion,training")),
        (("-m", "emotional_ai.mcp_bridge", "--autostart", "--target", "h:1"), Flags(target="h:1", autostart=True)),
        (("-m", "emotional_ai.mcp_bridge", "--toolsets", "moods", "--target", "h", "--mood", "x"), Flags()),
        (("-m", "emotional_ai.mcp_bridge", "--session"), Flags()),
        (("server.py", "--session", "a"), Flags()),
        (("-m", "another", "--session", "a"), Flags()),
    ],
)
def test_flags_of_an_entry_that_starts_the_bridge_are_told_as_far_as_it_takes_them(
    args: tuple[str, ...], told: Flags
) -> None:
    text = json.dumps({SERVERS: {SERVER: Entry("x", args).members()}})
    assert flags(text, PATH) == told


def test_flags_that_are_given_go_before_those_that_were() -> None:
    there = Flags(target="h:1", toolsets="emotion", autostart=True, read_only=True)
    now = Flags(session="a", toolsets="training", autostart=False).over(there)
    assert now == Flags("h:1", "a", "training", autostart=False, read_only=True)
    assert now.arguments() == ("--target", "h:1", "--session", "a", "--toolsets", "training", "--read-only")


def test_an_interpreter_kiro_would_not_find_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute path, got bin/python"):
        bridge_entry(Path("bin/python"), Flags())


def test_there_is_no_entry_where_there_is_none() -> None:
    assert entry("{}", PATH) is None
    assert entry('{"mcpServers": {"other": 1}}', PATH) is None


def test_an_entry_that_could_not_be_started_is_refused_where_it_stands() -> None:
    with pytest.raises(SettingsBroken, match=r"^mcp\.json:2:20: emotion_engine has no command"):
        entry('{"mcpServers": {\n "emotion_engine": {}}}', PATH)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (WANTED, []),
        (Entry("x", (), disabled=True), ["disabled is true"]),
        (Entry("x", (), auto_approve=("update_emotion",)), ["autoApprove leaves out get_emotional_state,"]),
        (Entry("x", (), auto_approve=("*",)), []),
        (
            Entry("x", (), auto_approve=("get_emotional_state", "update_emotion", "start_training")),
            ["autoApprove lets Kiro call start_training unasked"],
        ),
        (
            Entry("x", bridge_entry(PYTHON, Flags(toolsets="emotion,training")).args, auto_approve=("*",)),
            ["autoApprove lets Kiro call start_training unasked"],
        ),
        (Entry("x", (), disabled_tools=("update_emotion",)), ["disabledTools hides update_emotion"]),
        (Entry("x", (), disabled=True, auto_approve=()), ["disabled is true", "autoApprove leaves out"]),
    ],
)
def test_what_a_person_set_that_keeps_kiro_from_the_tools_is_remarked_on(found: Entry, says: list[str]) -> None:
    remarked = remarks(found)
    assert len(remarked) == len(says)
    assert all(one.startswith(said) for one, said in zip(remarked, says, strict=True))
