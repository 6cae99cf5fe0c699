"""Rows of `generate`, and which of them an output answers already."""

import json
from pathlib import Path

import pytest

from emotional_ai.cli.batch import answered
from emotional_ai.cli.output import CommandFailed
from emotional_ai.cli.rows import Row, read_rows
from emotional_ai.v1 import inference_pb2 as pb

PATH = Path("in.jsonl")


def rows_of(*rows: object) -> list[Row]:
    return read_rows("\n".join(map(json.dumps, rows)), PATH)


def refusal(text: str) -> str:
    with pytest.raises(CommandFailed) as raised:
        read_rows(text, PATH)
    return str(raised.value)


def test_a_row_becomes_a_request_and_keeps_what_it_carries() -> None:
    (row,) = rows_of({"prompt": "hi", "state": {"dopamine": 0.9}, "seed": 2**64 - 1, "max_tokens": 5, "id": "x"})
    assert isinstance(row.under, pb.ExplicitExpression)
    assert row.under.chemistry.dopamine == 0.9
    assert row.under.chemistry.serotonin == 0.6
    assert (row.sampling.seed, row.sampling.max_tokens) == (2**64 - 1, 5)
    assert not row.sampling.HasField("temperature")
    assert row.given["id"] == "x"
    assert [message.content for message in row.messages] == ["hi"]


def test_the_rules_of_sampling_are_those_of_the_row_alone() -> None:
    rules = {"temperature": 0.5, "top_p": 0.75, "top_k": 3, "min_p": 0.25, "repetition_penalty": 1.25, "stop": ["."]}
    said, none, bare = rows_of({"prompt": "a"} | rules, {"prompt": "b", "min_p": 0}, {"prompt": "c"})
    assert said.sampling == pb.Sampling(**rules)
    assert none.sampling.HasField("min_p")  # 0 is off, and not the default
    assert not bare.sampling.HasField("min_p")


def test_blank_lines_are_left_out_and_lines_keep_their_numbers() -> None:
    rows = read_rows('\n{"prompt": "a"}\n\n{"prompt": "b", "session": "ada"}\n', PATH)
    assert [row.line for row in rows] == [2, 4]
    assert rows[1].under == "ada"


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ('{"prompt": ""}', "line 1: prompt:"),
        ("{}", "line 1: prompt:"),
        ('{"prompt": "a", "messages": []}', "line 1: prompt:"),
        ('{"messages": []}', "line 1: messages:"),
        ('{"messages": [{"role": "me", "content": "a"}]}', "line 1: messages[0].role:"),
        ('{"messages": [{"role": "user"}]}', "line 1: messages[0].content:"),
        ('{"prompt": "a", "state": {"dopamin": 1}}', "line 1: state.dopamin:"),
        ('{"prompt": "a", "state": {"dopamine": 1.5}}', "line 1: state.dopamine:"),
        ('{"prompt": "a", "state": {"dopamine": true}}', "line 1: state.dopamine:"),
        ('{"prompt": "a", "seed": -1}', "line 1: seed:"),
        ('{"prompt": "a", "max_tokens": 1.5}', "line 1: max_tokens:"),
        ('{"prompt": "a", "temperature": 1' + "0" * 400 + "}", "line 1: temperature:"),
        ('{"prompt": "a", "temperature": NaN}', "line 1: temperature:"),
        ('{"prompt": "a", "min_p": "0.1"}', "line 1: min_p:"),
        ('{"prompt": "a", "min_p": NaN}', "line 1: min_p:"),
        ('{"prompt": "a", "extra": {"x": [0, 1e999]}}', "line 1: extra.x[1]: must be a finite number"),
        ('{"prompt": "a", "seed": ' + "9" * 5000 + "}", "line 1: holds a whole number of 5000 digits"),
        ('{"prompt": "a", "seed": ' + "9" * 4000 + "}", "line 1: seed:"),
        ("[" * 100_000, "line 1: is nested too deeply"),
        ('{"prompt": "\\ud800"}', "line 1: holds text that is none"),
        ('{"prompt": "a", "reply": "b"}', "line 1: reply:"),
        ('{"prompt": "a", "session": "s", "state": {}}', "line 1: session:"),
        ('{"prompt": "a", "prompt": "b"}', "line 1: has the field 'prompt' twice in one object"),
        ('{"prompt": "a", "state": {"cortisol": 1, "cortisol": 0}}', "line 1: has the field 'cortisol' twice"),
        ('{"prompt": "a"', "line 1: is not JSON"),
        ("[1]", "line 1: must be an object"),
    ],
)
def test_a_malformed_row_is_named_by_line_and_field(row: str, place: str) -> None:
    assert place in refusal(row)


def test_every_malformed_row_is_named_at_once() -> None:
    message = refusal('{"prompt": 1}\n{"prompt": "fine"}\nx')
    assert "line 1: prompt:" in message
    assert "line 3: is not JSON" in message


def by_line(*prompts: str) -> dict[int, Row]:
    return {row.line: row for row in rows_of(*({"prompt": prompt} for prompt in prompts))}


def test_an_output_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text('{"prompt": "a", "input_line": 1}\n')
    with pytest.raises(CommandFailed, match="--resume"):
        answered(out, by_line("a"), resume=False)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_half_written_last_line_is_cut_off_and_its_row_done_again(tmp_path: Path, mark: str) -> None:
    out = tmp_path / "out.jsonl"
    whole = mark + '{"prompt": "é", "input_line": 2}\n'
    out.write_text(whole + '{"prompt": "a", "inp')
    assert answered(out, by_line("a", "é"), resume=True) == {2}
    assert out.read_text() == whole


@pytest.mark.parametrize(
    "line",
    ['{"prompt": "b", "input_line": 1}', '{"prompt": "a"}', "7", "x", '{"input_line": []}', "9" * 5000, "[" * 100_000],
)
def test_an_output_of_another_input_is_left_alone(tmp_path: Path, line: str) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(line + "\n")
    with pytest.raises(CommandFailed, match="line 1"):
        answered(out, by_line("a"), resume=True)
    assert out.read_text() == line + "\n"
