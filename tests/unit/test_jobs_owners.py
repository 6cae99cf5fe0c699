"""Jobs of many owners in one directory: each finds its own, whatever it asks for, and all wait in one queue."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_training.jobs import JobDirectory, JobsDirectory, Plan, Recipe, id_in

OWNERS = ("", "acme", "zeta")


@pytest.fixture
def jobs(tmp_path: Path) -> JobsDirectory:
    return JobsDirectory(tmp_path / "jobs")


def made(jobs: JobsDirectory, owner: str, number: int, request: str = "") -> JobDirectory:
    jobs.path.mkdir(exist_ok=True)
    return jobs.make(number, f"{number:06x}", request, lambda at: Plan(recipe=Recipe.ALL, checkpoints_dir=at), owner)


def test_each_finds_its_own_newest_first_and_all_wait_in_one_queue(jobs: JobsDirectory) -> None:
    all_of_them = [made(jobs, OWNERS[number % 3], number) for number in range(9)]
    ids = [job.job_id for job in all_of_them]
    assert [job.job_id for job in jobs.queued()] == ids
    assert [id_in(name) for name in jobs.ids()] == ids[::-1]
    for index, owner in enumerate(OWNERS):
        assert jobs.ids_of(owner) == ids[index::3][::-1]
        for number, job_id in enumerate(ids):
            assert (jobs.job_of(owner, job_id) is not None) == (number % 3 == index)


def test_a_request_finds_the_job_of_its_owner_alone(jobs: JobsDirectory) -> None:
    of_acme = made(jobs, "acme", 1, "train")
    assert jobs.of_request("train", "zeta") is None
    assert jobs.of_request("train") is None
    made(jobs, "", 2, "train")
    found = jobs.of_request("train", "acme")
    assert found is not None
    assert found.path == of_acme.path


def test_a_job_keeps_its_owner_when_it_is_resumed_and_its_id_names_no_owner(jobs: JobsDirectory) -> None:
    job = made(jobs, "acme", 1)
    assert job.withdraw(2)
    jobs.resume(job, 3, "again", 0.0)
    assert jobs.of_request("again", "acme") is not None
    assert job.record().job_id == job.job_id == job.path.name.removeprefix("acme~")


def test_jobs_from_before_there_were_owners_have_none(jobs: JobsDirectory) -> None:
    before = made(jobs, "", 1)
    assert before.path.name == before.job_id
    assert jobs.ids_of("") == [before.job_id]
    assert jobs.ids_of("acme") == []


@given(
    st.sampled_from(OWNERS), st.text(max_size=60) | st.sampled_from(["acme~{}", "zeta~acme~{}", "../{}", "{}/", "~{}"])
)
def test_no_id_names_the_job_of_another(tmp_path_factory: pytest.TempPathFactory, owner: str, form: str) -> None:
    jobs = JobsDirectory(tmp_path_factory.mktemp("jobs"))
    theirs = made(jobs, "acme", 1)
    found = jobs.job_of(owner, form.replace("{}", theirs.job_id))
    assert found is None or owner == "acme"


@pytest.mark.parametrize("owner", ["..", "a/b", "A", "a~b", "a" * 65])
def test_what_cannot_own_jobs_has_none(jobs: JobsDirectory, owner: str) -> None:
    with pytest.raises(ValueError, match="an owner of jobs has 1 to 64"):
        jobs.job_of(owner, "job-20260101T000000000000-0a0a0a")
