"""A job's process: it ends in an outcome, or is interrupted by a kill at any moment and goes on where it was."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tiny_jobs import PATIENCE, SUPPORT, TARGET, begun, made, open_gate, reached, script, stands, steps_made, until

from emotional_ai_training.adapters import Registry
from emotional_ai_training.jobs import JobDirectory, JobsDirectory, ProgressReader, Standing


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the processes of jobs find the scripted training."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))


@pytest.fixture
def jobs(tmp_path: Path) -> JobsDirectory:
    return JobsDirectory(tmp_path / "jobs")


def log_of(job: JobDirectory) -> str:
    return job.log_path.read_text()


def test_a_training_that_ends_well_has_published_and_reported(jobs: JobsDirectory, tmp_path: Path) -> None:
    job = made(jobs, script(tmp_path, publish=["balanced"]))
    assert begun(job).wait(PATIENCE) == 0
    stands = job.standing()
    assert stands.standing is Standing.SUCCEEDED
    assert stands.outcome is not None
    assert stands.outcome.adapters == ("balanced",)
    assert [adapter.name for adapter in Registry(tmp_path / "loras").list().adapters] == ["balanced"]
    reports = ProgressReader(job.progress_path).read()
    assert [(one.sequence, one.step, one.total_steps, one.remaining_seconds) for one in reports] == [
        (1, 1, 3, 2.0),
        (2, 2, 3, 1.0),
        (3, 3, 3, 0.0),
    ]
    assert "the script begins" in log_of(job)


def test_a_training_that_fails_says_why_on_one_line_and_its_log_says_where(jobs: JobsDirectory, tmp_path: Path) -> None:
    job = made(jobs, script(tmp_path, fail_at=1))
    assert begun(job).wait(PATIENCE) == 1
    outcome = job.standing().outcome
    assert outcome is not None
    assert (outcome.status, outcome.error) == (Standing.FAILED, "ValueError: the loss is not finite")
    assert "Traceback" in log_of(job)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("training_targets:nameless", "TypeError: a training returns the names of its adapters"),
        ("training_targets:absent", "AttributeError"),
        (
            "no_such_module:run",
            "ModuleNotFoundError: No module named 'no_such_module'; training needs what this installs",
        ),
    ],
)
def test_a_target_that_is_none_is_a_failure(jobs: JobsDirectory, tmp_path: Path, target: str, said: str) -> None:
    job = made(jobs, script(tmp_path))
    begun(job, target).wait(PATIENCE)
    outcome = job.standing().outcome
    assert outcome is not None
    assert outcome.status is Standing.FAILED
    assert outcome.error.startswith(said)


def test_a_process_that_leaves_without_a_word_is_an_interruption(jobs: JobsDirectory, tmp_path: Path) -> None:
    job = made(jobs, script(tmp_path))
    begun(job, "training_targets:exiting").wait(PATIENCE)
    assert job.standing().standing is Standing.INTERRUPTED


@pytest.mark.parametrize("step", [0, 1, 2])
def test_killed_at_any_step_it_is_interrupted_and_goes_on_where_it_was(
    jobs: JobsDirectory, tmp_path: Path, step: int
) -> None:
    scripted = script(tmp_path, gates=[step])
    job = made(jobs, scripted)
    process = begun(job)
    until(stands(job, Standing.RUNNING) if step == 0 else reached(job, step))
    process.kill()
    process.wait(PATIENCE)
    assert job.standing().standing is Standing.INTERRUPTED
    with job.progress_path.open("ab") as file:
        file.write(b'{"sequence": 99, "ti')  # as a kill in the middle of a write leaves it
    open_gate(scripted, step)
    jobs.resume(job, 2, "again", 0.0)
    assert job.standing().standing is Standing.QUEUED
    assert begun(job).wait(PATIENCE) == 0
    assert job.standing().standing is Standing.SUCCEEDED
    assert steps_made(job) == [0, 1, 2]
    assert [one.sequence for one in ProgressReader(job.progress_path).read()] == [1, 2, 3]


def test_asked_to_stop_it_stops_at_its_next_step_and_can_be_resumed(jobs: JobsDirectory, tmp_path: Path) -> None:
    scripted = script(tmp_path, gates=[1])
    job = made(jobs, scripted)
    process = begun(job)
    until(reached(job, 1))
    job.ask_to_stop()
    assert process.wait(PATIENCE) == 0
    assert job.standing().standing is Standing.CANCELLED
    open_gate(scripted, 1)
    jobs.resume(job, 2, "", 0.0)
    assert begun(job).wait(PATIENCE) == 0
    assert steps_made(job) == [0, 1, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_without_a_request_is_an_interruption(
    jobs: JobsDirectory, tmp_path: Path, number: signal.Signals
) -> None:
    job = made(jobs, script(tmp_path, gates=[1]))
    process = begun(job)
    until(reached(job, 1))
    process.send_signal(number)
    assert process.wait(PATIENCE) == 130
    assert job.standing().standing is Standing.INTERRUPTED


def test_a_second_ctrl_c_ends_a_training_that_does_not_listen(jobs: JobsDirectory, tmp_path: Path) -> None:
    job = made(jobs, script(tmp_path, gates=[1], deaf=True))
    process = begun(job)
    until(reached(job, 1))
    process.send_signal(signal.SIGINT)
    while process.poll() is None:  # as fast as a person presses it
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    assert job.standing().standing is Standing.INTERRUPTED


def test_run_by_hand_it_is_the_same_job_and_runs_once(jobs: JobsDirectory, tmp_path: Path) -> None:
    scripted = script(tmp_path, gates=[1])
    job = made(jobs, scripted)
    command = [sys.executable, "-m", "emotional_ai_training.jobs", str(job.path), "--target", TARGET]
    with subprocess.Popen(command) as process:
        until(reached(job, 1))
        again = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
        assert again.returncode == 1
        assert "is running already, or has ended" in again.stderr
        open_gate(scripted, 1)
        assert process.wait(PATIENCE) == 0
    assert job.standing().standing is Standing.SUCCEEDED


def test_it_outlives_the_process_that_started_it(jobs: JobsDirectory, tmp_path: Path) -> None:
    scripted = script(tmp_path, gates=[1])
    job = made(jobs, scripted)
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom tiny_jobs import begun\n"
        "from emotional_ai_training.jobs import JobDirectory\n"
        "begun(JobDirectory(Path(sys.argv[1])))\nos.kill(os.getpid(), 9)\n"
    )
    starter = subprocess.run([sys.executable, "-c", program, str(job.path)], check=False, timeout=PATIENCE)
    assert starter.returncode == -signal.SIGKILL
    until(reached(job, 1))
    assert job.standing().standing is Standing.RUNNING
    open_gate(scripted, 1)
    until(stands(job, Standing.SUCCEEDED))


def test_the_lock_names_the_process_and_is_not_kept_by_what_it_starts(jobs: JobsDirectory, tmp_path: Path) -> None:
    job = made(jobs, script(tmp_path, gates=[1]))
    process = begun(job)
    until(reached(job, 1))
    assert job.lock_path.read_text() == f"{process.pid}\n"
    assert os.getsid(process.pid) == process.pid
    process.kill()
    process.wait(PATIENCE)
