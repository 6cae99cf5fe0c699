"""Rows of training_data.jsonl: written the same every time, read back whole, every malformed field named."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emotional_ai_training.conditioning import conditioning_tokens
from emotional_ai_training.dataset import DataUnreadable, MalformedRow, Row, TargetUnwritable, read_rows, write_rows
from emotional_ai_training.dataset.drafting import Cell, Draft, replay_row
from emotional_ai_training.dataset.rows import HEAVIEST, News, Source, Split, check_writable, spelled

OPINION = {
    "high_dopamine": 0.9,
    "high_serotonin": 0.1,
    "high_cortisol": 0.05,
    "high_oxytocin": 0.2,
    "balanced": 0.0,
}


def a_row(name: str = "one") -> Row:
    draft = Draft(
        cell=Cell("high_dopamine", Split.TRAIN, News.GOOD),
        topic="exam",
        prompt="I passed, “really”!",
        reply="I can't wait to hear more, tell me everything!",
        source=Source.GRAMMAR,
        licence="LicenseRef-own",
    )
    return draft.row(name, (0.9, 0.6, 0.3, 0.5), OPINION)


def written(directory: Path, change: Callable[[dict[str, Any]], object] | None = None) -> Path:
    """A file of two rows, the second changed."""
    fields = json.loads(spelled(a_row("two")))
    if change is not None:
        change(fields)
    path = directory / "data.jsonl"
    path.write_text(f"{spelled(a_row())}\n{json.dumps(fields)}\n", encoding="utf-8")
    return path


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [a_row(), replay_row("replay-0", "soup", "What is soup?", "A meal.", "Apache-2.0")]
    write_rows(tmp_path / "data.jsonl", rows)
    assert read_rows(tmp_path / "data.jsonl") == rows


def test_a_row_tells_the_state_as_it_is_told_when_the_model_is_served() -> None:
    system, user, assistant = a_row().messages
    assert system.content.endswith("\n<DA=0.90><SE=0.60><CO=0.30><OX=0.50> mood: eager, curious and excited")
    assert (system.train, user.train, assistant.train) == (False, False, True)


def test_a_replay_row_tells_no_state() -> None:
    row = replay_row("r", "soup", "What is soup?", "A meal.", "Apache-2.0")
    assert row.neuro is row.judge is None
    assert "<DA=" not in row.messages[0].content
    assert "mood" not in row.messages[0].content


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda f: f.pop("weight"), "weight: the field is missing"),
        (lambda f: f.update(colour=1), "row: there is no field 'colour'; the fields are id, schema, split"),
        (lambda f: f.update(schema=2), "schema: 2 is not 1"),
        (lambda f: f.update(id=""), "id: '' is not a non-empty string"),
        (lambda f: f.update(id="one"), "id: 'one' is the id of an earlier row"),
        (lambda f: f.update(split="validation"), "split: 'validation' is not one of train, dev, test"),
        (lambda f: f.update(state_label="happy"), "state_label: 'happy' is not one of high_dopamine, high_serotonin"),
        (lambda f: f.update(neuro=None), "neuro: null in rows of state replay, and only there"),
        (lambda f: f["neuro"].update(dopamine=1.5), "neuro.dopamine: 1.5 is not within 0 to 1"),
        (lambda f: f["neuro"].update(dopamine=True), "neuro.dopamine: True is not a finite number"),
        (lambda f: f["neuro"].pop("cortisol"), "neuro: not an object of exactly dopamine, serotonin"),
        (lambda f: f["neuro"].update(dopamine=0.2), "prefix: '<DA=0.90><SE=0.60><CO=0.30><OX=0.50>' does not tell"),
        (lambda f: f.update(weight=float("nan")), "weight: nan is not a finite number"),
        (lambda f: f.update(weight=10**400), f"weight: 1{'0' * 79}... is not a finite number"),
        (lambda f: f["neuro"].update(dopamine=-(10**400)), "neuro.dopamine: -1000"),
        (lambda f: f.update(weight=0), "weight: 0.0 is not above 0"),
        (lambda f: f.update(weight=1e308), "weight: 1e+308 is not above 0 and at most 1000000"),
        (lambda f: f.update(reward="high"), "reward: 'high' is not a finite number"),
        (lambda f: f.update(judge={"happy": 1}), "judge: not an object of exactly high_dopamine"),
        (lambda f: f["judge"].update(balanced=-1), "judge.balanced: -1.0 is not within 0 to 1"),
        (lambda f: f.update(source="web"), "source: 'web' is not one of written, grammar, goemotions"),
        (lambda f: f["labels"].update(news="great"), "labels.news: 'great' is not one of good, bad, neutral"),
        (lambda f: f["labels"].update(replay=1), "labels.replay: 1 is not true or false"),
        (lambda f: f["labels"].update(replay=True), "labels.replay: true in rows of state replay, and only there"),
        (lambda f: f.update(messages={}), "messages: not a list of messages"),
        (lambda f: f["messages"].pop(), "messages: they end with a user's message and an assistant's to be trained on"),
        (lambda f: f["messages"][2].update(train=False), "messages: they end with a user's message"),
        (lambda f: f["messages"][1].update(train=True), "messages[1].train: only an assistant's message"),
        (lambda f: f["messages"][1].update(role="human"), "messages[1].role: 'human' is not one of system, user"),
        (lambda f: f["messages"][0].update(content=3), "messages[0].content: 3 is not a non-empty string"),
        (
            lambda f: f["messages"][1].update(content="hi \ud800"),
            "messages[1].content: character 4, '\\ud800', is half a",
        ),
        (
            lambda f: f["labels"].update(topic="\udc00"),
            "labels.topic: character 1, '\\udc00', is half a character; a string",
        ),
        (lambda f: f["messages"][0].pop("role"), "messages[0]: not an object of exactly role, content, train"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line_and_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    with pytest.raises(MalformedRow) as refused:
        read_rows(written(tmp_path, change))
    assert f"data.jsonl: line 2: {complaint}" in str(refused.value)
    assert refused.value.line == 2


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "row: not JSON"),
        (b"[]", "row: not a JSON object"),
        (b"", "row: the line is empty"),
        (b"[" * 100_000, "row: lists or objects are nested too deeply"),
        (b"\xff", "row: not UTF-8: invalid start byte at byte 0"),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_its_number(tmp_path: Path, line: bytes, complaint: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(spelled(a_row()).encode() + b"\n" + line + b"\n")
    with pytest.raises(MalformedRow, match=f"line 2: {complaint}"):
        read_rows(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.update(split="x" * 10**6),
        lambda f: f.update(id=["x" * 10**6]),
        lambda f: f.update(prefix="x" * 10**6),
        lambda f: f.update({"x" * 10**6: 1}),
    ],
)
def test_a_complaint_shows_the_beginning_of_a_long_value(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(MalformedRow, match=r"x{50}") as refused:
        read_rows(written(tmp_path, change))
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("depth", range(900, 1001, 10))
def test_a_nested_value_is_refused_whether_or_not_it_can_be_read_and_shown(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(spelled(a_row()).replace('"user"', "[" * depth + "]" * depth), encoding="utf-8")
    with pytest.raises(MalformedRow, match="line 1"):
        read_rows(path)


def test_a_row_of_the_greatest_weight_is_read(tmp_path: Path) -> None:
    assert read_rows(written(tmp_path, lambda f: f.update(weight=int(HEAVIEST))))[1].weight == HEAVIEST


def test_a_mark_before_the_first_row_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(f"{spelled(a_row())}\r\n", encoding="utf-8-sig")
    assert read_rows(path) == [a_row()]


@pytest.mark.parametrize("content", [None, "", "\n", "\ufeff"])
def test_a_missing_or_empty_file_is_refused_with_what_writes_one(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "data.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(DataUnreadable, match=r"data\.jsonl: .*emotional-ai train prepare"):
        read_rows(path)


def test_a_line_separator_within_a_text_does_not_end_its_line(tmp_path: Path) -> None:
    row = replay_row("r", "soup", "What\u2028is\x85soup?", "A meal.", "Apache-2.0")
    write_rows(tmp_path / "data.jsonl", [row])
    assert read_rows(tmp_path / "data.jsonl") == [row]


def test_a_place_that_cannot_be_written_is_told_before_work_starts(tmp_path: Path) -> None:
    with pytest.raises(TargetUnwritable, match="it is a directory"):
        check_writable(tmp_path)
    with pytest.raises(TargetUnwritable, match="there is no directory"):
        check_writable(tmp_path / "missing" / "data.jsonl")
    (tmp_path / "link").symlink_to(tmp_path / "missing" / "data.jsonl")
    with pytest.raises(TargetUnwritable, match=r"link: .* there is no directory .*missing"):
        check_writable(tmp_path / "link")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(TargetUnwritable, match="symbolic links"):
        check_writable(tmp_path / "loop")


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_pipe_is_refused_as_it_is_and_stays_one(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(TargetUnwritable, match="it is not a regular file"):
        check_writable(tmp_path / name)
    with pytest.raises(TargetUnwritable, match="it is not a regular file"):
        write_rows(tmp_path / name, [a_row()])
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("exists", [True, False])
def test_rows_are_written_through_a_link(tmp_path: Path, *, exists: bool) -> None:
    target, link = tmp_path / "elsewhere" / "rows.jsonl", tmp_path / "data.jsonl"
    target.parent.mkdir()
    if exists:
        target.write_text("old", encoding="utf-8")
    link.symlink_to(target)
    check_writable(link)
    write_rows(link, [a_row()])
    assert link.is_symlink()
    assert read_rows(target) == [a_row()]
    assert [path.name for path in target.parent.iterdir()] == ["rows.jsonl"]


def test_a_file_that_could_not_be_finished_leaves_the_old_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    write_rows(path, [a_row()])
    broken = replace(a_row(), neuro=None, prefix="\ud800")
    with pytest.raises(UnicodeEncodeError):
        write_rows(path, [a_row(), broken])
    assert read_rows(path) == [a_row()]


def test_the_prefix_is_that_of_the_levels() -> None:
    row = a_row()
    assert row.neuro is not None
    assert row.prefix == conditioning_tokens(row.neuro)
