"""What a job needs before it is worth starting."""

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from emotional_ai_training.jobs import DEFAULT_TARGET, TrainingNotInstalled, check_can_train
from emotional_ai_training.jobs.launching import NEEDED

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_modules_looked_for_are_those_of_what_installs_them() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    wanted = {line.partition(">")[0].partition("=")[0] for line in extras["training"]} - {"emotional-ai[local]"}
    provided = packages_distributions()
    found = {provided[name][0].lower() for name in NEEDED}
    assert wanted == found - {"torch", "transformers"}
    assert {"torch", "transformers"} <= found


def test_only_what_trains_by_default_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotional_ai_training.jobs.launching.NEEDED", ("no_such_module",))
    check_can_train("training_targets:run")
    with pytest.raises(TrainingNotInstalled, match="no_such_module"):
        check_can_train(DEFAULT_TARGET)
