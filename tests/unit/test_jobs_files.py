"""A job is what its files say: whole or torn, read while they are written, refused by name where they are damaged."""

import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from tiny_disk import room_for
from tiny_jobs import PATIENCE, made

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.jobs import (
    FileLock,
    JobDamaged,
    JobDirectory,
    JobsDirectory,
    JobsUnusable,
    Outcome,
    Plan,
    ProgressReader,
    Recipe,
    Standing,
    take_lock,
)
from emotional_ai_training.jobs.locking import held, holder
from emotional_ai_training.jobs.progress import TAIL_BYTES, ProgressLog, latest_report
from emotional_ai_training.jobs.reporter import JobReporter


@pytest.fixture
def jobs(tmp_path: Path) -> JobsDirectory:
    return JobsDirectory(tmp_path / "jobs")


@pytest.fixture
def job(jobs: JobsDirectory, tmp_path: Path) -> JobDirectory:
    """A job that is queued."""
    return made(jobs, tmp_path / "script.json")


def fill(log: ProgressLog, count: int, **metrics: float) -> None:
    for number in range(count):
        log.append(number, "warm", number, count, metrics, 0.0)


# ---- plan.json


def test_a_plan_is_read_as_it_was_written(jobs: JobsDirectory, tmp_path: Path) -> None:
    plan = Plan(
        recipe=Recipe.CURIOSITY,
        checkpoints_dir=tmp_path / "c",
        loras_dir=tmp_path / "l",
        base_model="Ünï",
        lora_rank=64,
        learning_rate=1,
        epochs=3,
        batch_size=16,
        seed=2**64 - 1,
        states=("high_dopamine",),
        data_path=None,
        max_cost_usd=1.5,
    )
    record = jobs.make(5, "abcdef", "", lambda _: plan).record()
    assert record.plan == plan
    assert (record.created_us, record.attempt, record.request_ids) == (5, 1, ())
    assert Plan(recipe=Recipe.ALL, checkpoints_dir=tmp_path).states == ADAPTERS


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"attempt": "1"},
        {"attempt": True},
        {"created_us": None},
        {"colour": "red"},
        {"plan": []},
        {"plan": {"recipe": "all"}},
        {"request_ids": 3},
    ],
)
def test_a_record_that_is_none_is_refused_by_file(job: JobDirectory, change: dict[str, Any]) -> None:
    file = job.path / "plan.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(JobDamaged, match=r"plan\.json does not hold a job"):
        job.record()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipe", "none"),
        ("epochs", 1.5),
        ("lora_rank", True),
        ("learning_rate", "fast"),
        ("base_model", 5),
        ("states", 3),
        ("states", "balanced"),
        ("resume", 1),
        ("seed", -5),
        ("seed", 2**64),
        ("epochs", 2**32),
        ("learning_rate", 10**400),
        ("base_model", "\ud800"),
        ("data_path", "\ud800"),
    ],
)
def test_a_plan_of_what_cannot_be_told_is_refused(job: JobDirectory, name: str, value: object) -> None:
    file = job.path / "plan.json"
    entry = json.loads(file.read_text())
    entry["plan"][name] = value
    file.write_text(json.dumps(entry))
    with pytest.raises(JobDamaged):
        job.record()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("error", [1]),
        ("error", "\ud800"),
        ("adapters", [1, {}]),
        ("adapters", "balanced"),
        ("ended_us", 10**20),
        ("ended_us", 1.5),
        ("attempt", -1),
        ("status", "running"),
        ("colour", "red"),
    ],
)
def test_an_end_of_what_cannot_be_told_is_refused(job: JobDirectory, name: str, value: object) -> None:
    job.end(Outcome(attempt=1, status=Standing.FAILED, ended_us=5, error="no memory"))
    file = job.path / "outcome.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(JobDamaged, match=r"outcome\.json does not say how the job ended"):
        job.standing()


@pytest.mark.parametrize("file", ["plan.json", "outcome.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\x00", '{"attempt": 1, "status": "queued"}'])
def test_a_file_cut_short_or_of_something_else_is_refused_by_name(job: JobDirectory, file: str, content: str) -> None:
    (job.path / file).write_text(content)
    with pytest.raises(JobDamaged) as refused:
        job.standing()
    assert refused.value.path.name == file


def test_a_job_whose_record_is_gone_is_damaged_and_holds_up_no_other(jobs: JobsDirectory, tmp_path: Path) -> None:
    broken, whole = made(jobs, tmp_path, token="00000a"), made(jobs, tmp_path, token="00000b")
    (broken.path / "plan.json").unlink()
    with pytest.raises(JobDamaged, match="is missing"):
        broken.standing()
    assert [one.job_id for one in jobs.queued()] == [whole.job_id]
    assert len(jobs.ids()) == 2


# ---- the queue


def test_jobs_are_listed_newest_first_and_queued_oldest_first(jobs: JobsDirectory, tmp_path: Path) -> None:
    assert jobs.ids() == []
    assert jobs.queued() == []
    ids = [made(jobs, tmp_path, now_us=moment, token=f"{moment:06x}").job_id for moment in (3, 1, 2_000_000, 2)]
    third, first, last, second = ids
    assert jobs.ids() == [last, third, second, first]
    assert [job.job_id for job in jobs.queued()] == [first, second, third, last]


def test_a_resumed_job_waits_behind_those_that_wait_already(jobs: JobsDirectory, tmp_path: Path) -> None:
    first, second = (made(jobs, tmp_path, now_us=moment, token=f"{moment:06x}") for moment in (1, 2))
    assert first.withdraw(3)
    jobs.resume(first, 4, "again", 0.0)
    assert [job.job_id for job in jobs.queued()] == [second.job_id, first.job_id]
    assert jobs.of_request("again") is not None
    record = first.record()
    assert (record.attempt, record.plan.resume, record.request_ids) == (2, True, ("request-000001", "again"))


@pytest.mark.parametrize("job_id", ["", ".", "..", "../jobs", "job-1", "job-20200101T000000000000-00000g", "a/b", "\0"])
def test_an_id_that_no_job_has_finds_nothing(jobs: JobsDirectory, job: JobDirectory, job_id: str) -> None:
    assert jobs.job(job_id) is None
    assert jobs.job(job.job_id) is not None


def test_a_request_without_an_id_finds_nothing(jobs: JobsDirectory, tmp_path: Path) -> None:
    jobs.make(1, "000000", "", lambda path: Plan(recipe=Recipe.ALL, checkpoints_dir=path))
    assert jobs.of_request("") is None


def test_a_place_that_cannot_hold_jobs_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    jobs = JobsDirectory(tmp_path / "file" / "jobs")
    with pytest.raises(JobsUnusable, match="file/jobs cannot hold jobs"), jobs.ordering():
        pass
    with pytest.raises(JobsUnusable):
        made(jobs, tmp_path)
    with pytest.raises(JobsUnusable):
        JobsDirectory(tmp_path / "file").ids()


def test_orders_are_taken_one_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    def order(number: int) -> None:
        nonlocal inside, most
        jobs = JobsDirectory(tmp_path / "jobs")
        with jobs.ordering():
            with guard:
                inside += 1
                most = max(most, inside)
            made(jobs, tmp_path, token=f"{number:06x}")
            with guard:
                inside -= 1

    threads = [threading.Thread(target=order, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert most == 1
    assert len(JobsDirectory(tmp_path / "jobs").ids()) == 8


# ---- locks


def test_a_lock_is_held_once_and_looking_at_it_takes_it_from_nobody(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not held(path)
    lock = take_lock(path)
    assert lock is not None
    assert take_lock(path) is None
    assert held(path)
    assert holder(path) is None
    lock.sign()
    assert holder(path) == os.getpid()
    lock.release()
    lock.release()
    assert holder(path) is None
    stop = threading.Event()

    def look_on() -> None:
        while not stop.is_set():
            held(path)

    watchers = [threading.Thread(target=look_on, daemon=True) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(100):
            again = take_lock(path)
            assert isinstance(again, FileLock)
            again.release()
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join(PATIENCE)


# ---- standing


def test_where_a_job_stands_follows_from_its_files(job: JobDirectory, jobs: JobsDirectory) -> None:
    assert job.standing().standing is Standing.QUEUED
    lock = job.begin()
    assert lock is not None
    assert job.begin() is None
    assert job.standing().standing is Standing.RUNNING
    lock.release()
    assert job.standing().standing is Standing.INTERRUPTED
    assert job.begin() is None
    jobs.resume(job, 2, "", 0.0)
    assert job.standing().standing is Standing.QUEUED
    second = job.begin()
    assert second is not None
    with second:
        job.end(Outcome(attempt=2, status=Standing.SUCCEEDED, ended_us=9, adapters=("balanced",)))
    stands = job.standing()
    assert (stands.standing, stands.outcome and stands.outcome.adapters) == (Standing.SUCCEEDED, ("balanced",))
    assert [one for one in Standing if not one.ended] == [Standing.QUEUED, Standing.RUNNING]


def test_a_queued_job_is_withdrawn_once(job: JobDirectory) -> None:
    assert job.withdraw(7)
    assert not job.withdraw(8)
    stands = job.standing()
    assert stands.standing is Standing.CANCELLED
    assert stands.outcome is not None
    assert stands.outcome.ended_us == 7


# ---- progress.jsonl


def test_a_torn_last_line_is_passed_over_and_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    fill(ProgressLog(path), 3, loss=1.0)
    whole = path.read_bytes()
    reader = ProgressReader(path)
    assert [report.sequence for report in reader.read()] == [1, 2, 3]
    for cut in range(1, 60):
        path.write_bytes(whole + whole[:cut])
        latest = latest_report(path)
        assert latest is not None
        assert latest.sequence == 3
        assert reader.read() == []
    log = ProgressLog(path)
    assert log.append(9, "cold", 1, 2, {}, 0.0).sequence == 4
    assert [(report.sequence, report.stage) for report in reader.read()] == [(4, "cold")]
    assert path.read_bytes().startswith(whole)


def test_reports_are_read_as_they_come_however_the_bytes_arrive(tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "progress.jsonl"
    fill(ProgressLog(source), 20, loss=0.5)
    content, reader, seen = source.read_bytes(), ProgressReader(path), []
    assert reader.read() == []
    for start in range(0, len(content), 37):
        with path.open("ab") as file:
            file.write(content[start : start + 37])
        seen += [report.sequence for report in reader.read()]
    assert seen == list(range(1, 21))


@pytest.mark.parametrize("name_length", [1, TAIL_BYTES + 10])
def test_the_latest_report_is_found_however_long_the_lines_are(tmp_path: Path, name_length: int) -> None:
    path = tmp_path / "progress.jsonl"
    assert latest_report(path) is None
    log = ProgressLog(path)
    assert latest_report(path) is None
    for number in range(3):
        log.append(number, "n" * name_length, number, 3, {}, 0.0)
        latest = latest_report(path)
        assert latest is not None
        assert latest.sequence == number + 1
    assert ProgressLog(path).append(4, "next", 0, 1, {}, 0.0).sequence == 4


def test_a_line_that_is_no_report_is_refused_by_file(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text('{"sequence": 1}\n')
    with pytest.raises(JobDamaged, match=r"progress\.jsonl holds a line that is no report"):
        ProgressReader(path).read()
    with pytest.raises(JobDamaged):
        latest_report(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sequence", -1),
        ("sequence", 1.0),
        ("time_us", 10**20),
        ("stage", 5),
        ("stage", "\ud800"),
        ("step", 1.5),
        ("total_steps", 2**32),
        ("metrics", []),
        ("metrics", {"loss": "low"}),
        ("metrics", {"loss": 10**400}),
        ("remaining_seconds", None),
    ],
)
def test_a_report_of_what_cannot_be_told_is_refused(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "progress.jsonl"
    ProgressLog(path).append(1, "balanced", 1, 3, {"loss": 1.0}, 2.0)
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}) + "\n")
    with pytest.raises(JobDamaged, match=r"progress\.jsonl holds a line that is no report"):
        latest_report(path)


def test_a_report_the_disk_took_half_of_is_as_if_it_had_not_been_made(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    log = ProgressLog(path)
    fill(log, 2)
    with room_for(path.stat().st_size + 20), pytest.raises(OSError, match=r"part of a report|too large"):
        log.append(9, "cold", 1, 2, {}, 0.0)
    assert log.append(9, "cold", 1, 2, {}, 0.0).sequence == 3
    assert [report.stage for report in ProgressReader(path).read()] == ["warm", "warm", "cold"]


def test_a_reporter_raises_nothing_and_a_report_that_is_none_is_logged(
    job: JobDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = JobReporter(job, 1, lambda: False, lambda: 7)
    reporter.report("warm", 1, 2, {"loss": math.nan}, 3.0)
    reporter.report("warm", -1, 2, {}, 0.0)
    reporter.report("warm", 2**32, 2, {}, 0.0)
    reporter.report("warm", 1, 2, {"loss": "high"}, 0.0)  # type: ignore[dict-item]
    reporter.report("warm", 2, 2, {"loss": math.inf}, 0.0)
    assert len(caplog.records) == 3
    first, second = ProgressReader(job.progress_path).read()
    assert math.isnan(first.metrics["loss"])
    assert (second.sequence, second.metrics["loss"], second.time_us) == (2, math.inf, 7)


def test_a_reporter_hears_a_signal_and_a_request_but_not_one_of_an_earlier_attempt(
    job: JobDirectory, jobs: JobsDirectory
) -> None:
    stop = threading.Event()
    first = JobReporter(job, 1, stop.is_set, lambda: 0)
    assert not first.cancelled
    job.ask_to_stop()
    assert first.cancelled
    assert first.cancelled_by_request
    second = JobReporter(job, 2, stop.is_set, lambda: 0)
    assert not second.cancelled
    stop.set()
    assert second.cancelled
    assert not second.cancelled_by_request
