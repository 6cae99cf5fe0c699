"""Training data as it is really prepared: the committed judge with the real encoder, the command, its refusals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from emotional_ai_training.commands import app
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset import Split, read_rows
from emotional_ai_training.dataset.filtering import objection, opinions
from emotional_ai_training.dataset.rows import LOWS, MILDS, REPLAY, STATE_LABELS, UNSHOWN
from emotional_ai_training.judge import Judge, Judgement, auc
from emotional_ai_training.judge.weights import COMMITTED, load_judge
from emotional_ai_training.models import cache_dir, encoder_dir, pull

REPLIES = Path(__file__).parents[1] / "data" / "judge_replies.jsonl"
FEW = (
    "--train-rows",
    "6",
    "--dev-rows",
    "0",
    "--test-rows",
    "3",
    "--low-rows",
    "3",
    "--mild-rows",
    "3",
    "--unshown-rows",
    "3",
)


@pytest.fixture(scope="module")
def encoder() -> Path:
    cache = cache_dir(os.environ)
    pull(cache)
    return encoder_dir(cache)


@pytest.fixture(scope="module")
def judge(encoder: Path) -> Judge:
    return Judge(encoder)


def replies(split: str) -> list[dict[str, str]]:
    rows = map(json.loads, REPLIES.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row["split"] == split]


def judged(judge: Judge, split: str) -> tuple[np.ndarray, Judgement]:
    rows = replies(split)
    states = np.array([ADAPTERS.index(row["state"]) for row in rows])
    return states, judge.judge([row["text"] for row in rows])


def train(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["train", *arguments])


def prepare(out: Path, *arguments: str) -> Result:
    return train("prepare", "--out", str(out), *FEW, *arguments)


@pytest.mark.parametrize("split", ["tune", "held_out"])
def test_the_judge_tells_the_states_of_companion_replies_apart(judge: Judge, split: str) -> None:
    states, judgement = judged(judge, split)
    for column, state in enumerate(ADAPTERS):
        assert auc(states == column, judgement.both[:, column]) >= 0.9, state
        assert auc(states == column, judgement.by_embedding[:, column]) >= 0.85, state


@pytest.mark.parametrize("split", ["tune", "held_out"])
def test_the_filter_keeps_nine_of_ten_fitting_replies_and_one_of_seven_others(judge: Judge, split: str) -> None:
    states, judgement = judged(judge, split)
    kept = np.array([[objection(state, opinion) is None for state in ADAPTERS] for opinion in opinions(judgement)])
    fitting = np.eye(len(ADAPTERS), dtype=bool)[states]
    assert kept[fitting].mean() >= 0.9
    assert kept[~fitting].mean() <= 1 / 7


def test_the_card_holds_the_numbers_of_both_halves() -> None:
    scores = json.loads((COMMITTED / "judge.json").read_text(encoding="utf-8"))["measured"]["scores"]
    assert {(score["texts"], score["half"]) for score in scores} >= {
        ("GoEmotions test", "both"),
        ("GoEmotions test", "embedding"),
        ("replies, held_out", "both"),
    }


def test_a_text_is_judged_the_same_alone_and_among_others(judge: Judge) -> None:
    texts = ["I'm so scared of tomorrow.", "", "I love you dearly. " * 90]
    among = judge.judge(texts)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(judge.judge([text]).both[0], among.both[row], atol=1e-4)
    assert ADAPTERS[among.both[2].argmax()] == "high_oxytocin"
    assert judge.judge([]).both.shape == (0, 5)


def test_the_same_seed_writes_the_same_bytes_with_every_state_in_every_part(encoder: Path, tmp_path: Path) -> None:
    first = prepare(tmp_path / "a.jsonl", "--encoder", str(encoder), "--seed", "3")
    assert first.exit_code == 0, first.output
    assert "wrote 72 rows" in first.output
    prepare(tmp_path / "b.jsonl", "--encoder", str(encoder), "--seed", "3")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    rows = read_rows(tmp_path / "a.jsonl")
    assert {row.state_label for row in rows} == set(STATE_LABELS) - {REPLAY}
    assert {row.split for row in rows} == {Split.TRAIN, Split.TEST}
    assert all(row.judge is not None and objection(row.state_label, row.judge) is None for row in rows)


def test_only_the_states_asked_for_are_written_and_what_is_left_out_is_said(encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "data.jsonl"
    result = prepare(out, "--encoder", str(encoder), "--state", "balanced", "--train-rows", "3")
    assert result.exit_code == 0, result.output
    assert {row.state_label for row in read_rows(out)} == {"balanced", *LOWS, *MILDS, UNSHOWN}
    assert "no replay rows: nobody spoke for the base model" in result.output


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "emotional_ai_training.data_prep", "--help"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
    assert all(option in told for option in ("--out", "--seed", "--goemotions", "--dialogues"))


def test_an_unknown_state_ends_the_command_with_the_list(tmp_path: Path) -> None:
    result = prepare(tmp_path / "data.jsonl", "--state", "happy")
    assert result.exit_code == 1
    assert "there is no state 'happy'; the states are high_dopamine, high_serotonin" in result.output


def test_a_target_that_cannot_be_written_ends_the_command_before_any_work(tmp_path: Path) -> None:
    result = prepare(tmp_path / "missing" / "data.jsonl", "--encoder", str(tmp_path))
    assert result.exit_code == 1
    assert "data.jsonl: cannot be written: there is no directory" in result.output


def test_a_target_that_is_a_pipe_ends_the_command_before_any_work_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = prepare(tmp_path / "pipe", "--encoder", str(tmp_path))
    assert result.exit_code == 1
    assert "pipe: cannot be written: it is not a regular file" in result.output
    assert (tmp_path / "pipe").is_fifo()


def test_a_target_that_is_a_link_is_written_through_it(encoder: Path, tmp_path: Path) -> None:
    link, target = tmp_path / "link.jsonl", tmp_path / "target.jsonl"
    link.symlink_to(target)
    result = prepare(link, "--encoder", str(encoder), "--state", "balanced", "--train-rows", "3")
    assert result.exit_code == 0, result.output
    assert link.is_symlink()
    assert len(read_rows(target)) == 33


def test_dialogues_of_another_format_end_the_command_with_their_line(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    options = ("--encoder", str(encoder), "--dialogues", str(tmp_path / "talk.csv"))
    result = prepare(tmp_path / "data.jsonl", *options)
    assert result.exit_code == 1
    assert "talk.csv: line 1: the columns do not start with conv_id" in result.output
    assert not (tmp_path / "data.jsonl").exists()


def test_a_judge_is_trained_from_a_directory_the_user_brings(encoder: Path, tmp_path: Path) -> None:
    # Label ids of the release: 13 excitement, 23 relief, 14 fear, 18 love, 27 neutral.
    said = {13: "so excited to go", 23: "what a relief", 14: "this scares me", 18: "I love you all", 27: "it is a box"}
    for part in ("train", "dev", "test"):
        lines = [f"{text} number {i}\t{label}\tid" for i in range(6) for label, text in said.items()]
        (tmp_path / f"{part}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    few = tmp_path / "replies.jsonl"
    few.write_text("\n".join(REPLIES.read_text(encoding="utf-8").splitlines()[1::20]) + "\n", encoding="utf-8")
    into = tmp_path / "weights"
    options = ("--goemotions", str(tmp_path), "--encoder", str(encoder), "--into", str(into), "--replies", str(few))
    result = train("judge", *options)
    assert result.exit_code == 0, result.output
    assert "replies, held_out" in result.output
    assert load_judge(into).by_terms.weights.shape[1] == len(ADAPTERS)


@pytest.mark.parametrize("command", ["judge", "appraiser", "prepare"])
def test_a_release_that_is_not_utf_8_ends_the_command_with_its_line(
    encoder: Path, tmp_path: Path, command: str
) -> None:
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.tsv").write_bytes("café\t1\tid\n".encode("latin-1"))
    place = ("--out", str(tmp_path / "data.jsonl")) if command == "prepare" else ("--into", str(tmp_path / "w"))
    result = train(command, "--goemotions", str(tmp_path), "--encoder", str(encoder), *place)
    assert result.exit_code == 1
    assert ".tsv: line 1: not UTF-8: " in result.output
    assert not result.exception or isinstance(result.exception, SystemExit)


def test_a_directory_without_the_release_ends_the_judge_with_its_name(encoder: Path, tmp_path: Path) -> None:
    result = train("judge", "--goemotions", str(tmp_path), "--encoder", str(encoder), "--into", str(tmp_path / "w"))
    assert result.exit_code == 1
    assert "train.tsv: cannot be read" in result.output
    assert not (tmp_path / "w").exists()
