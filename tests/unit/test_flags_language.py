"""Which model speaks, what jobs train, and where both and the sessions are kept, from flags and the environment."""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest
import typer

from emotional_ai_service.flags.backend import BackendFlags, BackendKind
from emotional_ai_service.flags.jobs import JobFlags, jobs_of
from emotional_ai_service.flags.language import LanguageFlags, language_of
from emotional_ai_service.flags.store import file_of
from emotional_ai_service.places import PlaceUnusable, sessions_file, state_dir
from emotional_ai_service.settings import JobSettings, StoreKind
from emotional_ai_training.models import DEFAULT_MODEL, ModelError

NONE = BackendFlags(**{one.name: None for one in fields(BackendFlags)})
SILENT = LanguageFlags(engine_only=True, model=None, threads=0, backend=BackendKind.LOCAL)
HOSTED = replace(SILENT, engine_only=False, backend=BackendKind.TINKER)
KEY = {"TINKER_API_KEY": "tml-secret", "MODEL_NAME": "large"}
JOBS = JobFlags(jobs=None, loras=Path("/adapters"), base_model="", job_target="module:function")


def test_a_service_without_language_has_none_and_no_use_for_a_backend() -> None:
    assert language_of(SILENT, NONE, {}) is None
    with pytest.raises(typer.BadParameter, match="no use"):
        language_of(replace(SILENT, backend=BackendKind.VLLM), NONE, {})
    with pytest.raises(typer.BadParameter, match="no use"):
        language_of(SILENT, replace(NONE, vllm_url="http://127.0.0.1:8000"), {})


def test_a_hosted_model_needs_its_tokenizer_alone() -> None:
    named = {**os.environ, **KEY, "MODEL_TOKENIZER": "/tokenizers/large"}
    language = language_of(HOSTED, NONE, named)
    assert language is not None
    assert language.model_dir == Path("/tokenizers/large")
    given = language_of(replace(HOSTED, model=Path("/given"), threads=3), NONE, named)
    assert given is not None
    assert (given.model_dir, given.threads) == (Path("/given"), 3)


def test_a_model_that_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        language_of(replace(SILENT, engine_only=False, model=tmp_path), NONE, {})


@pytest.mark.parametrize(
    ("base_model", "model", "environ", "trained"),
    [
        ("", None, {}, DEFAULT_MODEL.name),
        ("", Path("/models/Small"), {}, "Small"),
        ("", Path("/models/Small"), {"TINKER_API_KEY": "tml-secret"}, ""),
        ("large", Path("/models/Small"), {"TINKER_API_KEY": "tml-secret"}, "large"),
    ],
)
def test_jobs_train_the_model_at_hand_unless_a_server_has_its_own(
    base_model: str, model: Path | None, environ: Mapping[str, str], trained: str
) -> None:
    settings = jobs_of(replace(JOBS, base_model=base_model), Path("/data/agents.db"), model, environ)
    assert settings == JobSettings(Path("/data/agents.db.jobs"), Path("/adapters"), trained, "module:function")


def test_jobs_lie_where_they_are_told_to_or_beside_what_the_service_keeps(tmp_path: Path) -> None:
    assert jobs_of(JOBS, None, None, {}).jobs_dir == (state_dir() / "jobs").resolve()
    assert jobs_of(replace(JOBS, jobs=tmp_path), Path("/data/agents.db"), None, {}).jobs_dir == tmp_path
    (tmp_path / "file").touch()
    with pytest.raises(typer.BadParameter, match="is not a directory"):
        jobs_of(replace(JOBS, loras=tmp_path / "file"), None, None, {})


def test_the_default_place_of_sessions_is_made_if_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert file_of(Path("/data/agents.db"), StoreKind.SQLITE) == Path("/data/agents.db")
    assert file_of(None, StoreKind.MEMORY) == sessions_file()
    assert not state_dir().exists()
    assert file_of(None, StoreKind.SQLITE) == sessions_file()
    assert state_dir().is_dir()
    (tmp_path / "taken").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "taken"))
    with pytest.raises(PlaceUnusable, match="name a file with --db, or use --store memory"):
        file_of(None, StoreKind.SQLITE)
