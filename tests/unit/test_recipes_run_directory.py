"""The record of a run: what is found when a process comes back to it, whatever the last one left half-written."""

from pathlib import Path

import pytest

from emotional_ai_training.recipes.errors import RunConflict, RunDamaged, RunUnwritable
from emotional_ai_training.recipes.run_directory import Finished, RunDirectory

CONFIG = {"stage": "conditioning", "seed": 0, "rank": 8}


def test_a_new_run_begins_at_the_first_step(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", CONFIG)
    assert (run.next_step, run.state, run.history(), run.finished()) == (0, None, [], None)


def test_a_run_goes_on_from_its_last_checkpoint_and_forgets_later_metrics(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, CONFIG)
    for step in range(5):
        run.metrics(step, {"loss": float(step)})
        if step == 2:
            run.checkpoint(3, "tinker://run/weights/3")
    again = RunDirectory(tmp_path, CONFIG)
    assert (again.next_step, again.state) == (3, "tinker://run/weights/3")
    assert [row["step"] for row in again.history()] == [0, 1, 2]


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints.jsonl"])
def test_a_torn_last_line_is_as_if_it_had_not_been_written(tmp_path: Path, name: str) -> None:
    run = RunDirectory(tmp_path, CONFIG)
    run.metrics(0, {"loss": 1.0})
    run.checkpoint(1, "tinker://run/weights/1")
    with (tmp_path / name).open("a") as file:
        file.write('{"step": 0, "next_st')
    again = RunDirectory(tmp_path, CONFIG)
    assert again.next_step == 1
    again.metrics(1, {"loss": 0.5})
    assert [row["loss"] for row in again.history()] == [1.0, 0.5]


def test_rewinding_leaves_only_what_a_checkpoint_holds(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, CONFIG)
    run.metrics(0, {"loss": 1.0})
    run.rewind()
    assert run.history() == []


def test_a_run_with_other_settings_is_not_continued(tmp_path: Path) -> None:
    RunDirectory(tmp_path, CONFIG)
    with pytest.raises(RunConflict, match=r"rank, seed.*--fresh"):
        RunDirectory(tmp_path, {**CONFIG, "rank": 16, "seed": 1})


def test_a_finished_run_is_found_finished(tmp_path: Path) -> None:
    done = Finished("tinker://a/weights/1", "tinker://a/sampler_weights/1", "tinker://a/external_weights/1")
    RunDirectory(tmp_path, CONFIG).finish(done)
    assert RunDirectory(tmp_path, CONFIG).finished() == done


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunUnwritable, match="cannot write to"):
        RunDirectory(tmp_path / "file" / "run", CONFIG)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", "\udcff"),
        ("checkpoints.jsonl", "nonsense\n"),
        ("checkpoints.jsonl", "{}\n"),
        ("checkpoints.jsonl", '{"next_step": "1", "state": "tinker://a"}\n'),
        ("metrics.jsonl", "nonsense\n"),
        ("metrics.jsonl", '{"loss": 1}\n'),
        ("final.json", "{}"),
        ("final.json", "{"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, name: str, content: str) -> None:
    RunDirectory(tmp_path, CONFIG)
    (tmp_path / name).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(
        RunDamaged, match=rf"{name} is damaged: .*; put a copy in its place, or begin anew with --fresh"
    ):
        RunDirectory(tmp_path, CONFIG).finished()
