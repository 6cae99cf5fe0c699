"""What a new training replaces, when it does, and what it must not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emotional_ai_training.recipes.errors import RunUnwritable
from emotional_ai_training.recipes.workplace import Workplace, workplace


def run(directory: Path, stage: str) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({"stage": stage}))
    return directory


class Failed(Exception):
    """How a training ends that fails."""


def failing(checkpoints: Path, *, fresh: bool, does: Callable[[Workplace], object]) -> None:
    """A training that does something and fails then."""
    with workplace(checkpoints, fresh=fresh) as place:
        does(place)
        raise Failed


def finished(checkpoints: Path) -> dict[str, bytes]:
    """A training that is over; its files."""
    run(checkpoints / "balanced", "balanced")
    (checkpoints / "tinker").mkdir()
    (checkpoints / "tinker" / "state").write_bytes(b"weights")
    (checkpoints / "training_data-0-abc.jsonl").write_text("{}")
    (checkpoints / "done").touch()
    return files(checkpoints)


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_an_unfinished_training_is_gone_on_with(tmp_path: Path) -> None:
    kept = run(tmp_path / "conditioning", "conditioning")
    with workplace(tmp_path, fresh=False) as place:
        assert place.resume
        place.begun()
        assert kept.is_dir()
    assert (tmp_path / "done").is_file()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_finished_training_gives_way_to_a_new_one_once_that_has_begun(tmp_path: Path, fresh: bool) -> None:
    finished(tmp_path)
    with workplace(tmp_path, fresh=fresh) as place:
        assert not place.resume
        place.begun()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fresh", [False, True])
def test_a_training_that_is_refused_leaves_everything_as_it_was(tmp_path: Path, fresh: bool) -> None:
    before = finished(tmp_path)

    def serves(_: Workplace) -> None:
        (tmp_path / "tinker").mkdir()
        (tmp_path / "tinker" / "log").touch()

    with pytest.raises(Failed):
        failing(tmp_path, fresh=fresh, does=serves)
    assert files(tmp_path) == before


def test_what_was_put_aside_by_a_process_that_was_killed_is_put_back(tmp_path: Path) -> None:
    finished(tmp_path)
    with workplace(tmp_path, fresh=True):
        aside = files(tmp_path / "replaced")
        (tmp_path / "copy").mkdir()
        (tmp_path / "replaced").rename(tmp_path / "copy" / "replaced")
    with workplace(tmp_path / "copy", fresh=False) as place:
        assert files(place.checkpoints / "replaced") == aside
        place.begun()


def test_a_training_that_fails_once_it_has_begun_is_gone_on_with(tmp_path: Path) -> None:
    finished(tmp_path)

    def begins(place: Workplace) -> None:
        place.begun()
        run(tmp_path / "conditioning", "conditioning")

    with pytest.raises(Failed):
        failing(tmp_path, fresh=True, does=begins)
    with workplace(tmp_path, fresh=False) as place:
        assert place.resume


def test_a_fresh_start_leaves_what_no_training_made(tmp_path: Path) -> None:
    run(tmp_path / "curiosity", "curiosity")
    model = run(tmp_path / "some-model", "nothing of ours")
    (tmp_path / "balanced").mkdir()
    (tmp_path / "balanced" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with workplace(tmp_path, fresh=True) as place:
        assert not place.resume
        place.begun()
    assert model.is_dir()
    assert (tmp_path / "balanced").is_dir()
    assert not (tmp_path / "curiosity").exists()


@pytest.mark.parametrize("config", ["", "{", "[" * 100_000])
def test_a_run_whose_settings_cannot_be_read_is_replaced_too(tmp_path: Path, config: str) -> None:
    damaged = run(tmp_path / "conditioning", "conditioning")
    (damaged / "config.json").write_text(config)
    (damaged / "metrics.jsonl").touch()
    with workplace(tmp_path, fresh=True) as place:
        place.begun()
        assert not damaged.exists()


def test_a_directory_without_runs_keeps_even_its_tinker_folder(tmp_path: Path) -> None:
    (tmp_path / "tinker").mkdir()
    with workplace(tmp_path, fresh=True) as place:
        assert not place.resume
        place.begun()
    assert (tmp_path / "tinker").is_dir()


def test_where_nothing_is_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    resumed = []
    with pytest.raises(Failed):
        failing(tmp_path / "absent", fresh=False, does=lambda place: resumed.append(place.resume))
    assert resumed == [False]
    assert not (tmp_path / "absent").exists()


def test_a_file_is_no_place_for_a_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunUnwritable, match="file: it is not a directory"), workplace(tmp_path / "file", fresh=True):
        raise AssertionError("entered")
