"""The commands that start, list, show, watch, stop and resume trainings."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CommandLine
from tiny_jobs import PATIENCE, open_gate, reached, script, stands, until
from training_service import Workshop

from emotional_ai_training.jobs import Standing


@pytest.fixture
def address(workshop: Workshop) -> Iterator[str]:
    with workshop.service() as address:
        yield address


@pytest.fixture
def cli(address: str) -> CommandLine:
    return CommandLine(address)


def job_of(cli: CommandLine) -> str:
    """The newest job."""
    return str(cli("jobs", "list", "--json").objects[0]["job"])


def test_a_training_is_started_followed_listed_and_shown(cli: CommandLine, tmp_path: Path) -> None:
    assert "there are no jobs" in cli("jobs", "list").err
    scripted = script(tmp_path / "s", publish=["balanced"])
    ran = cli(
        "jobs", "start", "state-adapters", "--data", str(scripted), "--rank", "4", "--state", "balanced", "--watch"
    )
    assert ran.status == 0
    lines = ran.out.splitlines()
    job_id = job_of(cli)
    assert lines[0].startswith(f"{job_id} is ")
    assert lines[1] == "high_dopamine 1/3  loss 1  0:02 left"
    assert lines[-1] == f"{job_id} succeeded; it published balanced"
    assert "state-adapters" in cli("jobs", "list").out
    shown = cli("jobs", "show", job_id).out
    assert "status     succeeded" in shown
    assert "rank 4, learning rate 0.001" in shown
    (record,) = cli("jobs", "show", job_id, "--json").objects
    assert (record["states"], record["adapters"], record["lora_rank"]) == (["balanced"], ["balanced"], 4)
    news = cli("jobs", "watch", job_id, "--json", "--after", "1").objects
    assert [(one["sequence"], one["status"]) for one in news] == [(2, "running"), (3, "succeeded")]


def test_a_training_that_fails_ends_its_watch_with_status_1_and_says_how_to_go_on(
    cli: CommandLine, tmp_path: Path
) -> None:
    ran = cli("jobs", "start", "--data", str(script(tmp_path / "s", fail_at=1)), "--watch")
    job_id = job_of(cli)
    assert ran.status == 1
    assert f"error: {job_id} failed: ValueError: the loss is not finite" in ran.err
    assert f"emotional-ai jobs resume {job_id}" in ran.err
    resumed = cli("jobs", "resume", job_id, "--watch")
    assert resumed.status == 0
    assert resumed.out.splitlines()[-1] == f"{job_id} succeeded; it published no adapters"
    again = cli("jobs", "resume", job_id)
    assert again.status == 1
    assert "cannot be resumed" in again.err


def test_a_training_is_cancelled_once(cli: CommandLine, workshop: Workshop, tmp_path: Path) -> None:
    started = cli("jobs", "start", "--data", str(script(tmp_path / "s", gates=[1])), "--json")
    job_id = started.objects[0]["job"]
    assert f"emotional-ai jobs watch {job_id}" in started.err
    until(reached(workshop.job(job_id), 1))
    # It may have stopped before the answer is made, which then says so.
    assert cli("jobs", "cancel", job_id).out.strip() in (f"{job_id} stops at its next step", f"cancelled {job_id}")
    until(stands(workshop.job(job_id), Standing.CANCELLED))
    ran = cli("jobs", "cancel", job_id)
    assert ran.status == 1
    assert "has ended (cancelled)" in ran.err
    assert cli("jobs", "watch", job_id).status == 1


def test_what_is_wrong_is_said_before_anything_is_started(cli: CommandLine, tmp_path: Path) -> None:
    for arguments, said in (
        (("--state", "high_noon"), "trains no state 'high_noon'"),
        (("--data", str(tmp_path / "absent")), "there is no file"),
        (("--rank", "3"), "power of two"),
        (("--learning-rate", "nan"), "learning_rate"),
    ):
        ran = cli("jobs", "start", "all", *arguments)
        assert ran.status == 1
        assert said in ran.err
    assert cli("jobs", "start", "nothing").status == 2
    for command in ("show", "watch", "cancel", "resume"):
        unknown = cli("jobs", command, "nobody")
        assert (unknown.status, "`emotional-ai jobs list`" in unknown.err) == (1, True)
        assert cli("jobs", command, "x" * 129).status == 2


def test_a_watch_that_is_interrupted_leaves_the_job_running(
    address: str, cli: CommandLine, workshop: Workshop, tmp_path: Path
) -> None:
    scripted = script(tmp_path / "s", gates=[1])
    job_id = cli("jobs", "start", "--data", str(scripted), "--json").objects[0]["job"]
    until(reached(workshop.job(job_id), 1))
    command = [sys.executable, "-m", "emotional_ai", "--target", address, "jobs", "watch", job_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("high_dopamine 1/3")
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate(timeout=PATIENCE)
    assert watch.returncode == 130
    assert "the job goes on" in said
    open_gate(scripted, 1)
    assert cli("jobs", "watch", job_id).status == 0
