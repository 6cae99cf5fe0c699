"""The room of the trainings, over real jobs in processes of their own that do what scripts say."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_jobs import open_gate, script
from training_service import Workshop
from web_rooms import Sight, entered

from emotional_ai import AsyncClient, TrainingConfig
from emotional_ai.v1 import training_pb2 as pb
from emotional_ai.web.page.training import training
from emotional_ai.web.page.training.room import Training

QUICK = 0.05


@pytest.fixture
def address(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Training, "SECONDS", QUICK)
    with workshop.service() as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(address) as client:
        yield client


def written(script_path: Path, **more: str) -> dict[str, str]:
    """The form as a visitor fills it in."""
    return {"recipe": "all", "data_path": str(script_path)} | more


def reports(sight: Sight) -> list[dict[str, Any]]:
    """Every report that was sent, in order."""
    return [report for name, news in sight.sent if name == "add" for report in news["reports"]]


async def begun(sight: Sight, script_path: Path) -> str:
    """Starts a job, and looks at it."""
    sight.does("started", written(script_path))
    job_id: str = await sight.until("begun")
    sight.does("chosen", job_id)
    return job_id


async def reaches(sight: Sight, step: int) -> None:
    """Waits until a step was told."""
    await sight.shows("add", lambda news: news["reports"][-1]["step"] >= step)


async def status(sight: Sight, name: str) -> dict[str, Any]:
    """Waits until the job that is looked at stands so."""
    details: dict[str, Any] = await sight.shows("describe", lambda told: told["job"]["status"] == name)
    return details


async def test_a_job_is_started_by_the_form_listed_and_watched_to_its_end(client: AsyncClient, tmp_path: Path) -> None:
    path = script(tmp_path / "script", steps=5, publish=["balanced"])
    async with entered(training, client) as sight:
        job_id = await begun(sight, path)
        details = await status(sight, "succeeded")
        assert details["adapters"] == ["balanced"]
        assert details["facts"]["Data"] == str(path)
        await sight.shows("add")
        await sight.shows("list", lambda told: [job["status"] for job in told["jobs"]] == ["succeeded"])
        assert [report["sequence"] for report in reports(sight)] == [1, 2, 3, 4, 5]
        assert reports(sight)[3]["metrics"] == {"loss": 0.25}
        assert (await client.get_job(job_id)).adapters == ["balanced"]


async def test_what_cannot_be_sent_is_said_under_its_field_and_nothing_is_started(
    client: AsyncClient, tmp_path: Path
) -> None:
    async with entered(training, client) as sight:
        sight.does("started", written(tmp_path / "none", epochs="two"))
        assert (await sight.until("refused"))["fields"].keys() == {"epochs"}
        sight.does("started", written(tmp_path / "none", epochs="0", learning_rate="1"))
        refused = await sight.until("refused")
        assert refused["fields"].keys() == {"epochs", "learning_rate"}
        assert refused["words"] == ""
        sight.does("started", written(tmp_path / "none", states="balanced, furious"))
        refused = await sight.until("refused")
        assert "furious" in refused["fields"]["states"]
        assert "high_dopamine" in refused["fields"]["states"]
        assert "no file" in refused["fields"]["data_path"]
        assert [one async for one in client.list_jobs()] == []


async def test_a_second_visitor_who_comes_later_is_told_the_same_reports(client: AsyncClient, tmp_path: Path) -> None:
    path = script(tmp_path / "script", steps=4, gates=[2])
    async with entered(training, client) as first:
        job_id = await begun(first, path)
        await reaches(first, 2)
        async with entered(training, client) as second:
            second.does("chosen", job_id)
            await reaches(second, 2)
            open_gate(path, 2)
            for sight in (first, second):
                await status(sight, "succeeded")
                await reaches(sight, 4)
            assert reports(first) == reports(second)


async def test_a_visitor_who_looks_away_misses_nothing_and_is_told_nothing_twice(
    client: AsyncClient, tmp_path: Path
) -> None:
    path = script(tmp_path / "script", steps=4, gates=[2, 3])
    async with entered(training, client) as sight:
        job_id = await begun(sight, path)
        await reaches(sight, 2)
        sight.does("away")
        open_gate(path, 2)
        async with client.watch_job(job_id) as watch:
            async for news in watch:
                if news.progress.step == 3:
                    break
        assert len(reports(sight)) == 2
        sight.does("looking")
        await reaches(sight, 3)
        open_gate(path, 3)
        await status(sight, "succeeded")
        await reaches(sight, 4)
        assert [report["sequence"] for report in reports(sight)] == [1, 2, 3, 4]


async def test_a_job_is_cancelled_and_goes_on_from_there(client: AsyncClient, tmp_path: Path) -> None:
    path = script(tmp_path / "script", steps=3, gates=[2])
    async with entered(training, client) as sight:
        job_id = await begun(sight, path)
        await reaches(sight, 2)
        sight.does("stopped", job_id)
        assert job_id in await sight.until("told")
        assert (await status(sight, "cancelled"))["job"]["resumable"]
        open_gate(path, 2)
        sight.does("resumed", {"id": job_id, "cost": ""})
        assert await sight.until("told") == f"{job_id} goes on."
        await status(sight, "succeeded")
        await reaches(sight, 3)
        assert [report["step"] for report in reports(sight)] == [1, 2, 3]


async def test_a_job_that_failed_says_why_as_text(client: AsyncClient, tmp_path: Path) -> None:
    path = script(tmp_path / "script", steps=3, fail_at=1)
    async with entered(training, client) as sight:
        await begun(sight, path)
        assert "the loss is not finite" in (await status(sight, "failed"))["error"]


async def test_a_cost_that_is_no_number_resumes_nothing(client: AsyncClient, tmp_path: Path) -> None:
    path = script(tmp_path / "script", steps=3, fail_at=1)
    async with entered(training, client) as sight:
        job_id = await begun(sight, path)
        await status(sight, "failed")
        sight.does("resumed", {"id": job_id, "cost": "much"})
        assert "must be a number" in await sight.until("told")
        assert (await client.get_job(job_id)).status == pb.JOB_STATUS_FAILED


async def test_a_job_that_is_not_there_is_said_to_be_missing(client: AsyncClient) -> None:
    async with entered(training, client) as sight:
        sight.does("chosen", "job-nowhere")
        assert "job-nowhere" in (await sight.shows("missing"))["words"]


async def test_older_jobs_are_listed_when_they_are_wanted(
    client: AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Training, "PAGE", 2)
    path = script(tmp_path / "script", steps=1)
    ids = [(await client.start_job(pb.RECIPE_ALL, config=TrainingConfig(data_path=str(path)))).job_id for _ in range(3)]
    async with entered(training, client) as sight:
        listed = await sight.shows("list")
        assert ([job["id"] for job in listed["jobs"]], listed["more"]) == ([ids[2], ids[1]], True)
        sight.does("more")
        listed = await sight.shows("list", lambda told: not told["more"])
        assert [job["id"] for job in listed["jobs"]] == ids[::-1]
