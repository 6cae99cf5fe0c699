"""What a fresh start removes, and what it must not."""

import json
from pathlib import Path

from emotional_ai_training.recipes.workplace import begin, finish


def run(directory: Path, stage: str) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({"stage": stage}))
    return directory


def test_an_unfinished_training_is_gone_on_with(tmp_path: Path) -> None:
    kept = run(tmp_path / "conditioning", "conditioning")
    assert begin(tmp_path, fresh=False)
    assert kept.is_dir()


def test_a_finished_training_gives_way_to_a_new_one(tmp_path: Path) -> None:
    gone = run(tmp_path / "balanced", "balanced")
    (tmp_path / "tinker").mkdir()
    (tmp_path / "training_data-0-abc.jsonl").touch()
    finish(tmp_path)
    assert not begin(tmp_path, fresh=False)
    assert not gone.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_fresh_start_leaves_what_no_training_made(tmp_path: Path) -> None:
    run(tmp_path / "curiosity", "curiosity")
    model = run(tmp_path / "some-model", "nothing of ours")
    (tmp_path / "balanced").mkdir()
    (tmp_path / "balanced" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    assert not begin(tmp_path, fresh=True)
    assert model.is_dir()
    assert (tmp_path / "balanced").is_dir()
    assert not (tmp_path / "curiosity").exists()


def test_a_directory_without_runs_keeps_even_its_tinker_folder(tmp_path: Path) -> None:
    (tmp_path / "tinker").mkdir()
    assert not begin(tmp_path, fresh=True)
    assert (tmp_path / "tinker").is_dir()


def test_where_nothing_is_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert not begin(tmp_path / "absent", fresh=False)
