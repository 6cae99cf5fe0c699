"""Whatever ends a training in the middle, going on with it gives the numbers of one that was never interrupted."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_training
from tiny_model import write_tiny_model
from tiny_training import (
    EXPLORING,
    STEPS,
    Told,
    cancel,
    explored,
    fine_tuned,
    kill_server,
    losses,
    numbers,
    run_in,
    without_telemetry,
)

from emotional_ai_training.jobs import JobCancelled
from emotional_ai_training.recipes.run_directory import Finished
from emotional_ai_training.tinker_api import EmbeddedServer
from emotional_ai_training.tinker_server import Dtype

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # the SDK leaves connections to the collector
PATIENCE = 90.0
"""Seconds a child process may take."""
EXPLORED = ("reward", "task", "curiosity", "beta")
CLOSE = 1e-6
ROUNDED = 1e-5
"""Divergences may differ so much: they are differences of log-probabilities, which are rounded with what arrives together."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    return write_tiny_model(place / "tiny")


@pytest.fixture(scope="module")
def server(model: Path, place: Path) -> Iterator[EmbeddedServer]:
    with without_telemetry(), EmbeddedServer(model, place / "tinker", threads=1, dtype=Dtype.FLOAT32) as embedded:
        yield embedded


@pytest.fixture(scope="module")
def tuned(server: EmbeddedServer, model: Path, place: Path) -> Finished:
    """A run that nothing disturbed, in the directory `tuned`."""
    return fine_tuned(server, model, place / "tuned")


@pytest.fixture(scope="module")
def undisturbed(tuned: Finished, place: Path) -> list[float]:
    found = losses(place / "tuned")
    assert len(found) == STEPS
    assert found[-1] < found[0]
    return found


@pytest.fixture(scope="module")
def exploration(server: EmbeddedServer, model: Path, tuned: Finished, place: Path) -> Path:
    explored(server, model, place / "explored", tuned)
    return place / "explored"


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_cancelled_fine_tuning_goes_on_exactly(
    server: EmbeddedServer, model: Path, tmp_path: Path, undisturbed: list[float], step: int
) -> None:
    with pytest.raises(JobCancelled, match=rf"stopped after step {step + 2} of {STEPS}; it can go on"):
        fine_tuned(server, model, tmp_path, Told(step, cancel))
    assert run_in(tmp_path).next_step == step + 2
    again = Told()
    fine_tuned(server, model, tmp_path, again)
    assert again.steps == list(range(step + 3, STEPS + 1))
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)


def test_a_training_cancelled_behind_its_last_step_is_finished(
    server: EmbeddedServer, model: Path, tmp_path: Path, undisturbed: list[float]
) -> None:
    fine_tuned(server, model, tmp_path, Told(STEPS - 1, cancel))
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)


def test_a_fine_tuning_whose_server_is_killed_heals_by_itself(
    server: EmbeddedServer, model: Path, place: Path, tmp_path: Path, undisturbed: list[float]
) -> None:
    reporter = Told(4, lambda _: kill_server(place / "tinker"))
    fine_tuned(server, model, tmp_path, reporter)
    # Step 5 was under way as well, and its result may have come before the kill.
    assert reporter.steps[:-5] in ([1, 2, 3, 4], [1, 2, 3, 4, 5])
    assert reporter.steps[-5:] == list(range(4, STEPS + 1))
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)


def test_a_killed_training_takes_its_server_along_and_goes_on_exactly(
    model: Path, tmp_path: Path, undisturbed: list[float]
) -> None:
    command = [sys.executable, tiny_training.__file__, str(model), str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == f"step {tiny_training.STANDS}\n":
                child.kill()
        assert child.wait(PATIENCE) == -9
    again = Told()
    with EmbeddedServer(model, tmp_path / "tinker", threads=1, dtype=Dtype.FLOAT32) as server:
        fine_tuned(server, model, tmp_path, again)
    assert again.steps[0] == 4
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)


def test_a_cancelled_exploration_goes_on_exactly(
    server: EmbeddedServer, model: Path, tmp_path: Path, tuned: Finished, exploration: Path
) -> None:
    with pytest.raises(JobCancelled, match=f"stopped after step 2 of {EXPLORING.steps}"):
        explored(server, model, tmp_path, tuned, Told(1, cancel))
    explored(server, model, tmp_path, tuned)
    assert_explored_alike(tmp_path, exploration)


def test_an_exploration_whose_server_is_killed_heals_by_itself(
    server: EmbeddedServer, model: Path, place: Path, tmp_path: Path, tuned: Finished, exploration: Path
) -> None:
    reporter = Told(3, lambda _: kill_server(place / "tinker"))
    explored(server, model, tmp_path, tuned, reporter)
    assert reporter.steps == [1, 2, 3, 3, 4]
    assert_explored_alike(tmp_path, exploration)


def assert_explored_alike(work: Path, undisturbed: Path) -> None:
    """The same replies were said, and the same learned from them."""
    said, wanted = ((run_in(place).path / "replies.jsonl").read_text() for place in (work, undisturbed))
    assert said == wanted
    learned, expected = (numbers(place, *EXPLORED) for place in (work, undisturbed))
    assert learned == [pytest.approx(row, abs=CLOSE) for row in expected]
    apart, near = (numbers(place, "divergence") for place in (work, undisturbed))
    assert apart == [pytest.approx(row, abs=ROUNDED) for row in near]
