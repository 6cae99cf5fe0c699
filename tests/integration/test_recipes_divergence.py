"""An exploration that leaves the bound on its divergence ends there, with the state it is left in."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import write_tiny_model
from tiny_training import (
    EXPLORING,
    PROMPTS,
    STAGE,
    LengthJudge,
    Told,
    course_on,
    fine_tuned,
    numbers,
    run_in,
    without_telemetry,
)

from emotional_ai_training.recipes.curiosity import Curiosity, explore
from emotional_ai_training.recipes.examples import ChatTokenizer
from emotional_ai_training.recipes.run_directory import Finished
from emotional_ai_training.tinker_api import EmbeddedServer

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # the SDK leaves connections to the collector


def test_an_exploration_ends_where_the_divergence_leaves_its_bound_and_stays_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    with without_telemetry(), EmbeddedServer(model, tmp_path / "tinker", threads=1) as server:
        start = fine_tuned(server, model, tmp_path / "tuned")

        def explored(work: Path, config: Curiosity) -> tuple[list[int], Finished]:
            reporter = Told()
            course = course_on(server, reporter, model, 60.0)
            judge = LengthJudge()
            run = run_in(work)
            return reporter.steps, explore(STAGE, config, PROMPTS, start, ChatTokenizer(model), judge, run, course)

        # Estimated from samples, a divergence may be negative; -1000 nats it never is.
        with caplog.at_level(logging.WARNING):
            steps, finished = explored(tmp_path / "bound", replace(EXPLORING, divergence_bound=-1000.0))
        assert steps == [1]
        assert "the divergence left its bound at step 1; ending here" in caplog.text
        assert len(numbers(tmp_path / "bound", "divergence")) == 1
        assert finished.state != start.state
        assert explored(tmp_path / "bound", replace(EXPLORING, divergence_bound=-1000.0)) == ([], finished)
