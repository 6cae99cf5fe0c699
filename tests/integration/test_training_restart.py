"""Jobs through the end of the service: running ones run on, queued ones wait, interrupted ones stay so, watchers go on."""

import threading
from pathlib import Path

import pytest
from loopback import Served
from ports import free_port
from tiny_jobs import PATIENCE, open_gate, reached, script, stands, steps_made, until
from training_service import Workshop

from emotional_ai import Backoff, Client, JobStatus, Recipe, TrainingConfig, Unavailable
from emotional_ai.v1 import training_pb2 as pb
from emotional_ai_training.jobs import Standing

STUBBORN = Backoff(first_seconds=0.05, longest_seconds=0.5, attempts=200)
"""Outlasts a restart of the service on a busy machine."""


@pytest.fixture
def port() -> int:
    return free_port()


def start(client: Client, script_path: Path, request_id: str = "") -> str:
    config = TrainingConfig(data_path=str(script_path))
    return client.start_job(Recipe.RECIPE_ALL, config=config, request_id=request_id, timeout=PATIENCE).job_id


def reachable(client: Client) -> bool:
    """Whether calls arrive: a connection that was refused is tried again only after a while."""
    try:
        list(client.list_jobs())
    except Unavailable:
        return False
    return True


def end(service: Served, *, kill: bool) -> None:
    if kill:
        service.kill()
    else:
        assert service.terminate() == 0


@pytest.mark.parametrize("kill", [True, False], ids=["kill -9", "shutdown"])
def test_a_running_job_runs_on_and_its_watchers_go_on_at_the_next_service(
    workshop: Workshop, tmp_path: Path, port: int, kill: bool
) -> None:
    scripted = script(tmp_path / "s", steps=6, gates=[2, 4])
    told: list[pb.WatchJobResponse] = []
    ended: list[pb.Job] = []
    with workshop.process(port) as first, Client(first.address, backoff=STUBBORN) as client:
        job_id = start(client, scripted, "mine")
        waiting = start(client, script(tmp_path / "next"), "next")

        def watch() -> None:
            with client.training_job(job_id).watch() as news:
                told.extend(news)
            ended.append(client.training_job(job_id).result(PATIENCE))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        until(lambda: bool(told) and told[-1].progress.sequence == 2)
        end(first, kill=kill)
        open_gate(scripted, 2)
        until(reached(workshop.job(job_id), 4))
        with workshop.process(port):
            until(lambda: reachable(client))
            found = client.get_job(job_id)
            assert (found.status, found.progress.step) == (JobStatus.JOB_STATUS_RUNNING, 4)
            assert start(client, scripted, "mine") == job_id
            assert client.get_job(waiting).status == JobStatus.JOB_STATUS_QUEUED
            open_gate(scripted, 4)
            watcher.join(PATIENCE)
            assert client.training_job(waiting).result(PATIENCE).status == JobStatus.JOB_STATUS_SUCCEEDED
    (done,) = ended
    assert done.status == JobStatus.JOB_STATUS_SUCCEEDED
    assert steps_made(workshop.job(job_id)) == [0, 1, 2, 3, 4, 5]
    numbers = [one.progress.sequence for one in told if one.progress.sequence]
    assert list(dict.fromkeys(numbers)) == [1, 2, 3, 4, 5, 6]
    assert numbers == sorted(numbers)


def test_what_was_interrupted_while_nobody_looked_is_found_so_and_left_alone(
    workshop: Workshop, tmp_path: Path
) -> None:
    scripted = script(tmp_path / "s", gates=[1])
    with workshop.process() as first, Client(first.address) as client:
        job_id = start(client, scripted, "mine")
        until(reached(workshop.job(job_id), 1))
        first.kill()
    workshop.kill_jobs()
    open_gate(scripted, 1)
    with workshop.process() as second, Client(second.address, backoff=STUBBORN) as client:
        assert client.get_job(job_id).status == JobStatus.JOB_STATUS_INTERRUPTED
        other = start(client, script(tmp_path / "other"))
        client.training_job(other).result(PATIENCE)
        assert client.get_job(job_id).status == JobStatus.JOB_STATUS_INTERRUPTED
        assert start(client, scripted, "mine") == job_id
        client.training_job(job_id).resume()
        assert client.training_job(job_id).result(PATIENCE).progress.sequence == 3
    assert steps_made(workshop.job(job_id)) == [0, 1, 2]


def test_a_job_cancelled_by_the_next_service_stops(workshop: Workshop, tmp_path: Path) -> None:
    with workshop.process() as first, Client(first.address) as client:
        job_id = start(client, script(tmp_path / "s", gates=[1]))
        until(reached(workshop.job(job_id), 1))
        first.kill()
    with workshop.process() as second, Client(second.address) as client:
        # It may have stopped by the time the answer is made.
        assert client.cancel_job(job_id).status in {JobStatus.JOB_STATUS_RUNNING, JobStatus.JOB_STATUS_CANCELLED}
        until(stands(workshop.job(job_id), Standing.CANCELLED))


def test_services_that_share_a_directory_run_one_job_at_a_time(workshop: Workshop, tmp_path: Path) -> None:
    scripts = [script(tmp_path / f"s{number}", gates=[0]) for number in range(2)]
    with (
        workshop.service() as one,
        workshop.service() as other,
        Client(one) as first,
        Client(other) as second,
    ):
        ids = [start(client, scripted) for client, scripted in zip((first, second), scripts, strict=True)]
        until(stands(workshop.job(ids[0]), Standing.RUNNING))
        assert second.get_job(ids[1]).status == JobStatus.JOB_STATUS_QUEUED
        assert [job.job_id for job in second.list_jobs()] == ids[::-1]
        for scripted, job_id in zip(scripts, ids, strict=True):
            open_gate(scripted, 0)
            second.training_job(job_id).result(PATIENCE)
