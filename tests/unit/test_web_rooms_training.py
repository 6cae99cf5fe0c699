"""The form that starts a training, and jobs and reports as they are told."""

import math

import pytest

from emotional_ai import JobStatus, Recipe, Violation
from emotional_ai.names import RECIPES
from emotional_ai.v1 import training_pb2 as pb
from emotional_ai.web.page.training import form, reports


def test_an_empty_form_asks_for_everything_as_the_recipe_has_it() -> None:
    empty = dict.fromkeys(form.NAMES, " ")
    assert form.order(empty) == form.Order(Recipe.RECIPE_ALL, pb.TrainingConfig(), 0.0)


def test_what_is_written_is_what_is_sent() -> None:
    given = {
        "recipe": "curiosity",
        "lora_rank": "16",
        "states": "high_dopamine, balanced,",
        "base_model": " tiny ",
        "learning_rate": "1e-4",
        "epochs": "2",
        "batch_size": "4",
        "seed": str(2**64 - 1),
        "data_path": "/data/rows.jsonl",
        "max_cost_usd": "2.5",
    }
    config = pb.TrainingConfig(
        base_model="tiny",
        lora_rank=16,
        learning_rate=1e-4,
        epochs=2,
        batch_size=4,
        seed=2**64 - 1,
        states=["high_dopamine", "balanced"],
        data_path="/data/rows.jsonl",
    )
    assert form.order(given) == form.Order(Recipe.RECIPE_CURIOSITY, config, 2.5)


def test_what_cannot_be_sent_is_said_of_every_field_at_once() -> None:
    given = {"recipe": "magic", "epochs": "-1", "batch_size": str(2**32), "seed": str(2**64), "learning_rate": "fast"}
    wrong = form.order(given)
    assert isinstance(wrong, list)
    said = form.by_field(wrong)
    assert said.keys() == given.keys()
    assert "must be one of" in said["recipe"]
    assert said["epochs"] == "must be a whole number; got '-1'"
    assert said["seed"] == f"must be at most {2**64 - 1}; got {2**64}"
    assert "must be a number" in said["learning_rate"]


def test_what_the_service_refuses_is_said_under_the_field_it_is_of() -> None:
    refused = [
        Violation("config.states[0]", "no such state"),
        Violation("config.states[2]", "neither this"),
        Violation("config.epochs", "too many"),
        Violation("max_cost_usd", "too much"),
    ]
    assert form.by_field(refused) == {
        "states": "no such state; neither this",
        "epochs": "too many",
        "max_cost_usd": "too much",
    }


def test_every_setting_of_the_contract_has_a_field() -> None:
    settings = {field.name for field in pb.TrainingConfig.DESCRIPTOR.fields}
    asked = {field.name for field in pb.StartJobRequest.DESCRIPTOR.fields} - {"config", "request_id", "resume_job_id"}
    assert set(form.NAMES) == settings | asked
    assert set(form.MEANINGS) == set(RECIPES)


@pytest.mark.parametrize("written", ["", " 0 ", "1.5"])
def test_a_cost_is_read(written: str) -> None:
    assert form.cost(written) == float(written.strip() or 0)


def test_a_metric_that_is_no_number_is_told_as_none() -> None:
    metrics = [pb.Metric(name="loss", value=math.nan), pb.Metric(name="reward", value=0.5)]
    told = reports.report(
        pb.JobProgress(sequence=3, stage="balanced", step=1, total_steps=9, metrics=metrics, remaining_seconds=math.inf)
    )
    assert told["metrics"] == {"loss": None, "reward": 0.5}
    assert (told["sequence"], told["stage"], told["step"], told["total"], told["left"]) == (3, "balanced", 1, 9, 0.0)


@pytest.mark.parametrize(
    ("status", "under_way", "resumable"),
    [
        (JobStatus.JOB_STATUS_QUEUED, True, False),
        (JobStatus.JOB_STATUS_RUNNING, True, False),
        (JobStatus.JOB_STATUS_SUCCEEDED, False, False),
        (JobStatus.JOB_STATUS_FAILED, False, True),
        (JobStatus.JOB_STATUS_CANCELLED, False, True),
        (JobStatus.JOB_STATUS_INTERRUPTED, False, True),
    ],
)
def test_a_job_can_be_cancelled_while_it_goes_and_resumed_once_it_stopped_short(
    status: JobStatus.ValueType, under_way: bool, resumable: bool
) -> None:
    told = reports.job(pb.Job(status=status))
    assert (told["under_way"], told["resumable"], told["ended"]) == (under_way, resumable, None)


def test_a_damaged_job_is_told_without_settings() -> None:
    told = reports.details(pb.Job(job_id="job-1", status=JobStatus.JOB_STATUS_FAILED, error="<b>torn</b>"))
    assert (told["error"], told["facts"]) == ("<b>torn</b>", {})
