"""The Training service over real processes of scripted trainings: taken once, one at a time, watched, stopped, resumed."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import json_format
from loopback import service
from tiny_adapters import published
from tiny_jobs import PATIENCE, made, open_gate, reached, script, stands, steps_made, until
from training_service import Workshop

from emotional_ai import (
    AsyncClient,
    Backoff,
    Client,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    Job,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobStatus,
    NotFound,
    Recipe,
    TrainingConfig,
    TrainingJob,
)
from emotional_ai.v1 import training_pb2 as pb
from emotional_ai_service.settings import JobSettings
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.jobs import Standing

QUEUED, RUNNING = JobStatus.JOB_STATUS_QUEUED, JobStatus.JOB_STATUS_RUNNING
SUCCEEDED, CANCELLED = JobStatus.JOB_STATUS_SUCCEEDED, JobStatus.JOB_STATUS_CANCELLED
HASTY = Backoff(first_seconds=0.01, longest_seconds=0.01, attempts=2)


@pytest.fixture
def address(workshop: Workshop) -> Iterator[str]:
    with workshop.service() as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def started(client: Client, script_path: Path, **config: object) -> TrainingJob:
    given = TrainingConfig(data_path=str(script_path), **config)  # type: ignore[arg-type]
    return client.train(Recipe.RECIPE_ALL, config=given)


def sequences(news: object) -> list[int]:
    return [one.progress.sequence for one in news]  # type: ignore[attr-defined]


def test_a_job_runs_to_its_end_and_its_adapter_is_listed_without_a_restart(
    client: Client, workshop: Workshop, tmp_path: Path
) -> None:
    assert list(client.list_adapters()) == []
    job = started(client, script(tmp_path / "s", publish=["balanced"]), seed=9)
    done = job.result(PATIENCE)
    assert (done.status, list(done.adapters), done.error) == (SUCCEEDED, ["balanced"], "")
    assert done.ended_at.ToMicroseconds() > done.created_at.ToMicroseconds()
    assert (done.progress.sequence, done.progress.step, done.progress.total_steps) == (3, 3, 3)
    assert done.progress.metrics[0].name == "loss"
    (adapter,) = client.list_adapters()
    assert (adapter.name, adapter.rank, adapter.prototype.serotonin) == ("balanced", 2, 0.6)
    assert job.refresh() == done
    assert repr(job) == f"TrainingJob('{job.job_id}')"


def test_every_setting_of_the_job_is_filled_in(client: Client, tmp_path: Path) -> None:
    scripted = script(tmp_path / "s")
    config = started(client, scripted).refresh().config
    assert (config.lora_rank, config.learning_rate, config.epochs, config.batch_size) == (8, 1e-3, 1, 8)
    assert (list(config.states), config.data_path) == (list(ADAPTERS), str(scripted))
    asked = TrainingConfig(
        base_model="tiny",
        lora_rank=4,
        learning_rate=0.02,
        epochs=3,
        batch_size=16,
        seed=5,
        states=["balanced", "high_cortisol"],
        data_path=str(scripted),
    )
    given = client.start_job(Recipe.RECIPE_STATE_ADAPTERS, config=asked).config
    asked.states[:] = ["high_cortisol", "balanced"]
    assert json_format.MessageToDict(given) == json_format.MessageToDict(asked)
    curious = client.start_job(Recipe.RECIPE_CURIOSITY, config=TrainingConfig(data_path=str(scripted)))
    assert list(curious.config.states) == ["high_dopamine"]


def test_what_cannot_be_trained_is_refused_field_by_field(client: Client, workshop: Workshop, tmp_path: Path) -> None:
    wrong = TrainingConfig(states=["balanced", "high_noon"], data_path=str(tmp_path / "absent.jsonl"))
    with pytest.raises(InvalidArgument) as refused:
        client.start_job(Recipe.RECIPE_ALL, config=wrong)
    assert [one.field for one in refused.value.violations] == ["config.states[1]", "config.data_path"]
    assert "high_dopamine, high_serotonin" in refused.value.violations[0].description
    with pytest.raises(InvalidArgument, match="trains no state 'balanced', only high_dopamine"):
        client.start_job(Recipe.RECIPE_CURIOSITY, config=TrainingConfig(states=["balanced"]))
    for config in (
        TrainingConfig(lora_rank=3),
        TrainingConfig(data_path=str(tmp_path)),
        TrainingConfig(data_path="\0"),
    ):
        with pytest.raises(InvalidArgument):
            client.start_job(Recipe.RECIPE_ALL, config=config)
    with pytest.raises(InvalidArgument):
        client.start_job(Recipe.RECIPE_UNSPECIFIED)
    assert workshop.jobs.ids() == []


def test_where_adapters_could_not_be_written_nothing_is_started(
    client: Client, workshop: Workshop, tmp_path: Path
) -> None:
    workshop.loras.write_text("a file")
    with pytest.raises(FailedPrecondition, match="adapters cannot be written") as refused:
        started(client, script(tmp_path / "s"))
    assert refused.value.reason == "ADAPTERS_UNWRITABLE"
    with pytest.raises(FailedPrecondition, match="adapters cannot be read"):
        client.list_adapters()
    assert workshop.jobs.ids() == []


def test_where_training_is_not_installed_nothing_is_started_and_what_installs_it_is_named(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobSettings(workshop.root / "jobs", workshop.loras)
    for name in ("peft", "tinker"):
        monkeypatch.setitem(sys.modules, name, None)  # as it is where they are not installed
    with service(replace(workshop.settings, jobs=jobs)) as address, Client(address) as client:
        with pytest.raises(
            FailedPrecondition, match=r"not installed .*: peft, tinker; .*'emotional-ai\[training\]'"
        ) as refused:
            client.start_job(Recipe.RECIPE_ALL)
        assert refused.value.reason == "TRAINING_NOT_INSTALLED"
    assert workshop.jobs.ids() == []


def test_the_same_request_starts_once_even_at_the_same_moment(address: str, tmp_path: Path) -> None:
    config = TrainingConfig(data_path=str(script(tmp_path / "s")))

    async def start() -> set[str]:
        async with AsyncClient(address) as client, asyncio.timeout(PATIENCE):
            calls = [
                client.start_job(Recipe.RECIPE_ALL, config=config, request_id="once", timeout=PATIENCE)
                for _ in range(8)
            ]
            return {job.job_id for job in await asyncio.gather(*calls)}

    assert len(asyncio.run(start())) == 1


def test_one_job_runs_at_a_time_in_the_order_they_were_asked_for(
    client: Client, workshop: Workshop, tmp_path: Path
) -> None:
    scripts = [script(tmp_path / f"s{number}", gates=[0]) for number in range(3)]
    jobs = [started(client, one) for one in scripts]
    until(stands(workshop.job(jobs[0].job_id), Standing.RUNNING))
    assert [job.refresh().status for job in jobs] == [RUNNING, QUEUED, QUEUED]
    assert [job.job_id for job in client.list_jobs(page_size=1)] == [job.job_id for job in reversed(jobs)]
    for one, job in zip(scripts, jobs, strict=True):
        open_gate(one, 0)
        job.result(PATIENCE)
    ended = [job.refresh().ended_at.ToMicroseconds() for job in jobs]
    assert ended == sorted(ended)


def test_watchers_early_late_and_in_the_middle_are_told_the_same(
    address: str, client: Client, workshop: Workshop, tmp_path: Path
) -> None:
    scripted = script(tmp_path / "s", steps=6, gates=[3])
    job = started(client, scripted)
    heard: list[list[pb.WatchJobResponse]] = [[], []]

    def watch(into: list[pb.WatchJobResponse]) -> None:
        with Client(address) as other, other.training_job(job.job_id).watch() as news:
            into.extend(news)

    watchers = [threading.Thread(target=watch, args=(into,), daemon=True) for into in heard]
    for watcher in watchers:
        watcher.start()
    until(lambda: all(into and into[-1].progress.sequence == 3 for into in heard))
    with job.watch(after_sequence=2) as middle:
        open_gate(scripted, 3)
        from_the_middle = list(middle)
    for watcher in watchers:
        watcher.join(PATIENCE)
    late = list(job.watch())
    for told in (*heard, late):
        numbers = [number for number in sequences(told) if number]
        assert list(dict.fromkeys(numbers)) == [1, 2, 3, 4, 5, 6]
        assert numbers == sorted(numbers)
        assert [one.status for one in told].count(SUCCEEDED) == 1
        assert (told[-1].status, told[-1].progress.sequence) == (SUCCEEDED, 6)
    assert sequences(late) == [1, 2, 3, 4, 5, 6]
    assert list(dict.fromkeys(sequences(from_the_middle))) == [3, 4, 5, 6]
    assert [(one.status, one.progress.sequence) for one in job.watch(after_sequence=6)] == [(SUCCEEDED, 6)]


def test_leaving_a_watch_stops_reading_for_it(address: str, client: Client, workshop: Workshop, tmp_path: Path) -> None:
    job = started(client, script(tmp_path / "s", gates=[1]))
    until(reached(workshop.job(job.job_id), 1))
    for _ in range(3):
        with job.watch() as news:
            assert next(iter(news)).progress.sequence in (0, 1)
    assert client.get_job(job.job_id).status == RUNNING


def test_a_queued_job_is_cancelled_at_once_and_never_runs(client: Client, workshop: Workshop, tmp_path: Path) -> None:
    scripted = script(tmp_path / "s", gates=[0])
    running, waiting = started(client, scripted), started(client, scripted)
    assert waiting.cancel().status == CANCELLED
    with pytest.raises(FailedPrecondition, match="has ended \\(cancelled\\)") as again:
        waiting.cancel()
    assert again.value.reason == "JOB_ENDED"
    with pytest.raises(JobCancelled):
        waiting.result(PATIENCE)
    open_gate(scripted, 0)
    running.result(PATIENCE)
    assert not (workshop.job(waiting.job_id).path / "checkpoints").exists()


def test_a_running_job_stops_when_cancelled_and_is_resumed_where_it_was(
    client: Client, workshop: Workshop, tmp_path: Path
) -> None:
    scripted = script(tmp_path / "s", gates=[2])
    job = started(client, scripted)
    until(reached(workshop.job(job.job_id), 2))
    assert job.cancel().status in (RUNNING, CANCELLED)
    with pytest.raises(JobCancelled, match="resume it"):
        job.result(PATIENCE)
    with pytest.raises(FailedPrecondition, match="nothing to cancel"):
        job.cancel()
    open_gate(scripted, 2)
    assert job.resume().status in (QUEUED, RUNNING, SUCCEEDED)
    assert job.result(PATIENCE).progress.sequence == 3
    assert steps_made(workshop.job(job.job_id)) == [0, 1, 2]
    with pytest.raises(FailedPrecondition, match="it is succeeded"):
        job.resume()


def test_a_deaf_job_may_be_cancelled_twice_and_goes_on_to_its_end(
    client: Client, workshop: Workshop, tmp_path: Path
) -> None:
    scripted = script(tmp_path / "s", gates=[1], deaf=True)
    job = started(client, scripted)
    until(reached(workshop.job(job.job_id), 1))
    assert [job.cancel().status, job.cancel().status] == [RUNNING, RUNNING]
    open_gate(scripted, 1)
    assert job.result(PATIENCE).status == SUCCEEDED


def test_a_failed_job_says_why_and_can_be_resumed(client: Client, workshop: Workshop, tmp_path: Path) -> None:
    job = started(client, script(tmp_path / "s", fail_at=1))
    with pytest.raises(JobFailed, match="the loss is not finite") as failed:
        job.result(PATIENCE)
    assert failed.value.job.status == JobStatus.JOB_STATUS_FAILED
    again = client.start_job(Recipe.RECIPE_ALL, resume_job_id=job.job_id, request_id="again")
    assert again.job_id == job.job_id
    job.result(PATIENCE)
    assert client.start_job(Recipe.RECIPE_ALL, resume_job_id=job.job_id, request_id="again").status == SUCCEEDED
    assert steps_made(workshop.job(job.job_id)) == [0, 1, 2]


def test_a_job_is_resumed_only_as_it_was(client: Client, workshop: Workshop, tmp_path: Path) -> None:
    job = started(client, script(tmp_path / "s", fail_at=0))
    with pytest.raises(JobFailed):
        job.result(PATIENCE)
    with pytest.raises(FailedPrecondition, match="its recipe is all, not curiosity"):
        client.start_job(Recipe.RECIPE_CURIOSITY, resume_job_id=job.job_id)
    with pytest.raises(InvalidArgument, match="keeps its settings"):
        client.start_job(Recipe.RECIPE_ALL, resume_job_id=job.job_id, config=TrainingConfig(seed=1))
    with pytest.raises(NotFound):
        client.start_job(Recipe.RECIPE_ALL, resume_job_id="job-of-nobody")


def test_a_killed_job_is_interrupted_left_alone_and_resumed_on_request(
    client: Client, workshop: Workshop, tmp_path: Path
) -> None:
    scripted = script(tmp_path / "s", gates=[1])
    job = started(client, scripted)
    directory = workshop.job(job.job_id)
    until(reached(directory, 1))
    with job.watch() as news:
        workshop.kill_jobs()
        assert list(news)[-1].status == JobStatus.JOB_STATUS_INTERRUPTED
    with pytest.raises(JobInterrupted, match="resume it"):
        job.result(PATIENCE)
    with pytest.raises(FailedPrecondition, match="has ended \\(interrupted\\)"):
        job.cancel()
    open_gate(scripted, 1)
    assert started(client, script(tmp_path / "other")).result(PATIENCE).status == SUCCEEDED
    assert job.refresh().status == JobStatus.JOB_STATUS_INTERRUPTED
    job.resume()
    assert job.result(PATIENCE).progress.sequence == 3
    assert steps_made(directory) == [0, 1, 2]


def test_an_unknown_job_is_not_found_by_any_call(client: Client) -> None:
    for name in ("nobody", "job-20200101T000000000000-abcdef", "../jobs", "."):
        job = client.training_job(name)
        for call in (job.refresh, job.cancel, job.resume, lambda job=job: list(job.watch()), job.result):
            with pytest.raises(NotFound) as unknown:
                call()
            assert unknown.value.reason == "JOB_NOT_FOUND"
            assert unknown.value.metadata["job_id"] == name


def test_a_damaged_job_is_told_by_name_and_hides_no_other(client: Client, workshop: Workshop, tmp_path: Path) -> None:
    broken = made(workshop.jobs, tmp_path, now_us=1)
    (broken.path / "plan.json").write_text("{")
    whole = started(client, script(tmp_path / "s"))
    assert whole.result(PATIENCE).status == SUCCEEDED
    with pytest.raises(DataLoss, match=r"plan\.json is not JSON") as damaged:
        client.get_job(broken.job_id)
    assert damaged.value.reason == "JOB_DAMAGED"
    with pytest.raises(DataLoss):
        list(client.watch_job(broken.job_id))
    listed: list[Job] = list(client.list_jobs())
    assert [one.job_id for one in listed] == [whole.job_id, broken.job_id]
    assert "plan.json" in listed[1].error


def test_whatever_a_file_of_a_job_holds_the_list_is_told(client: Client, workshop: Workshop, tmp_path: Path) -> None:
    damages = {
        "plan.json": {"created_us": 10**20},
        "outcome.json": {"attempt": 1, "status": "failed", "ended_us": 10**20, "error": [1], "adapters": []},
        "progress.jsonl": {"sequence": -1},
    }
    for number, (name, change) in enumerate(damages.items()):
        file = made(workshop.jobs, tmp_path, now_us=number + 1, token=f"{number:06}").path / name
        before = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(before | change) + "\n")
    listed = list(client.list_jobs())
    assert [name in one.error for one, name in zip(listed, reversed(damages), strict=True)] == [True] * 3


def test_a_damaged_adapter_hides_no_other(client: Client, workshop: Workshop) -> None:
    published(workshop.loras, "balanced")
    published(workshop.loras, "high_dopamine")
    (workshop.loras / "high_dopamine" / "adapter_config.json").unlink()
    assert [adapter.name for adapter in client.list_adapters()] == ["balanced"]


def test_a_result_is_waited_for_only_so_long(client: Client, workshop: Workshop, tmp_path: Path) -> None:
    scripted = script(tmp_path / "s", gates=[0])
    job = started(client, scripted)
    for seconds in (0.0, 0.2):
        with pytest.raises(DeadlineExceeded, match="goes on") as late:
            job.result(seconds)
        assert late.value.reason == "JOB_NOT_ENDED"
    open_gate(scripted, 0)
    assert client.training_job(job.job_id).result(PATIENCE).status == SUCCEEDED


async def test_by_asyncio_a_job_is_followed_cancelled_and_resumed_alike(
    address: str, workshop: Workshop, tmp_path: Path
) -> None:
    scripted = script(tmp_path / "s", gates=[1])
    async with AsyncClient(address, backoff=HASTY) as client, asyncio.timeout(PATIENCE):
        job = await client.train(Recipe.RECIPE_ALL, config=TrainingConfig(data_path=str(scripted)))
        with pytest.raises(DeadlineExceeded):
            await job.result(0.2)
        async with job.watch() as news:
            async for one in news:
                if one.progress.sequence == 1:
                    break
        await job.cancel()
        with pytest.raises(JobCancelled):
            await job.result()
        open_gate(scripted, 1)
        await job.resume()
        again = client.training_job(job.job_id)
        assert (await again.result()).status == SUCCEEDED == (await again.refresh()).status
        assert sequences([one async for one in again.watch()]) == [1, 2, 3]
        assert repr(again) == f"AsyncTrainingJob('{job.job_id}')"
    assert steps_made(workshop.job(job.job_id)) == [0, 1, 2]
