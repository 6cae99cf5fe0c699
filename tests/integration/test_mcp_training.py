"""The training tools over the real Training service: trainings in processes of their own that do what scripts say."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import hosted
from mcp.client import Client
from mcp_bridge import ERAS, Era, answer, in_memory, refusal, said
from tiny_jobs import PATIENCE, open_gate, reached, script, stands, until
from training_service import Workshop
from unscripted_training import TARGET, VARIABLE

from emotional_ai import Client as Service
from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai_training.jobs import DEFAULT_TARGET, Standing

Serve = Callable[..., str]


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script of the trainings: three steps, held before the second, and an adapter at the end."""
    path = script(tmp_path / "s", gates=[1], publish=["balanced"])
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def address(workshop: Workshop, scripted: Path) -> Iterator[str]:
    with hosted(trained_by(workshop, TARGET)) as running:
        yield running.address


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


def trained_by(workshop: Workshop, target: str) -> Any:
    """Settings of a service whose jobs run this."""
    return replace(workshop.settings, jobs=replace(workshop.settings.jobs, target=target))


def bridge(address: str, era: Era = "auto") -> Any:
    return in_memory(Settings(address, toolsets=frozenset({Toolset.TRAINING})), era)


async def asked(client: Client, name: str, **arguments: object) -> dict[str, Any]:
    return answer(await client.call_tool(name, arguments))


async def reaches(arrived: Callable[[], bool]) -> None:
    """Waits beside the loop until something is so."""
    await asyncio.to_thread(until, arrived)


async def test_a_training_is_started_followed_and_publishes(
    address: str, era: Era, workshop: Workshop, scripted: Path
) -> None:
    async with bridge(address, era) as client:
        started = await asked(
            client, "start_training", recipe="state-adapters", states=["balanced"], lora_rank=4, epochs=2
        )
        assert started["status"] in ("queued", "running")
        assert started["recipe"] == "state-adapters"
        job = workshop.job(started["job_id"])
        await reaches(reached(job, 1))
        newest = await asked(client, "get_training_status")
        assert newest == await asked(client, "get_training_status", job_id=started["job_id"])
        assert (newest["job_id"], newest["status"]) == (started["job_id"], "running")
        assert (newest["stage"], newest["step"], newest["total_steps"]) == ("high_dopamine", 1, 3)
        assert newest["metrics"]["loss"] == 1
        open_gate(scripted, 1)
        await reaches(stands(job, Standing.SUCCEEDED))
        result = await client.call_tool("get_training_status", {})
        assert answer(result)["adapters"] == ["balanced"]
        assert "is succeeded, high_dopamine 3 of 3" in said(result)
        assert "it published balanced" in said(result)
    with Service(address) as there:
        config = there.get_job(started["job_id"]).config
    assert (list(config.states), config.lora_rank, config.epochs, config.batch_size) == (["balanced"], 4, 2, 8)


async def test_a_training_that_was_stopped_goes_on_where_it_was(
    address: str, era: Era, workshop: Workshop, scripted: Path
) -> None:
    async with bridge(address, era) as client:
        job_id = (await asked(client, "start_training", recipe="curiosity"))["job_id"]
        job = workshop.job(job_id)
        await reaches(reached(job, 1))
        await asked(client, "cancel_training", job_id=job_id)
        await reaches(stands(job, Standing.CANCELLED))
        assert (await asked(client, "get_training_status"))["status"] == "cancelled"
        ended = refusal(await client.call_tool("cancel_training", {"job_id": job_id}))
        assert ended == (
            f"[FAILED_PRECONDITION] training job '{job_id}' has ended (cancelled); get_training_status tells how it ended"
        )
        changed = refusal(await client.call_tool("start_training", {"resume_job_id": job_id, "epochs": 3}))
        assert changed.startswith("[INVALID_ARGUMENT] config must be unset: a resumed job keeps its settings; ")
        other = refusal(await client.call_tool("start_training", {"resume_job_id": job_id, "recipe": "all"}))
        assert other.startswith("[FAILED_PRECONDITION] training job ")
        open_gate(scripted, 1)
        assert (await asked(client, "start_training", resume_job_id=job_id))["job_id"] == job_id
        await reaches(stands(job, Standing.SUCCEEDED))
        again = refusal(await client.call_tool("start_training", {"resume_job_id": job_id}))
        assert again.startswith("[FAILED_PRECONDITION] training job ")
        assert again.endswith("start_training without resume_job_id begins anew")


async def test_a_second_training_waits_for_the_first(
    address: str, era: Era, workshop: Workshop, scripted: Path
) -> None:
    async with bridge(address, era) as client:
        first = (await asked(client, "start_training"))["job_id"]
        await reaches(reached(workshop.job(first), 1))
        result = await client.call_tool("start_training", {})
        second = answer(result)
        assert second["job_id"] != first
        assert second["status"] == "queued"
        assert said(result) == f"{second['job_id']} (all) is queued."
        assert (await asked(client, "cancel_training", job_id=second["job_id"]))["status"] == "cancelled"
        assert (await asked(client, "get_training_status", job_id=first))["status"] == "running"


async def test_what_there_is_not_is_told_with_what_to_do(address: str, era: Era) -> None:
    async with bridge(address, era) as client:
        assert refusal(await client.call_tool("get_training_status", {})) == (
            "[NOT_FOUND] there are no trainings yet; start_training begins one"
        )
        for name in ("get_training_status", "cancel_training"):
            assert refusal(await client.call_tool(name, {"job_id": "job-9"})) == (
                "[NOT_FOUND] no training job 'job-9'; get_training_status without a job_id shows the newest job; "
                "start_training begins one"
            )


async def test_what_cannot_be_trained_is_refused_before_it_is_a_job(address: str, era: Era, workshop: Workshop) -> None:
    async with bridge(address, era) as client:
        states = refusal(await client.call_tool("start_training", {"states": ["balanced", "high_noon"]}))
        assert states.startswith("[INVALID_ARGUMENT] config.states[1] ")
        assert "high_dopamine, high_serotonin" in states
        rank = refusal(await client.call_tool("start_training", {"lora_rank": 3}))
        assert rank.startswith("[INVALID_ARGUMENT] config.lora_rank ")
        assert workshop.jobs.ids() == []


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"TINKER_BASE_URL": "http://127.0.0.1:9"}, "set the key its server knows"),
        ({"TINKER_API_KEY": "sk-not-one"}, "a key begins with tml-"),
    ],
)
async def test_what_a_training_lacks_is_told_by_its_status(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: str
) -> None:
    for name in ("TINKER_API_KEY", "TINKER_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with hosted(trained_by(workshop, DEFAULT_TARGET)) as running:
        async with asyncio.timeout(PATIENCE), bridge(running.address) as client:
            job = workshop.job((await asked(client, "start_training"))["job_id"])
            await reaches(stands(job, Standing.FAILED))
            result = await client.call_tool("get_training_status", {})
    assert wanted in answer(result)["error"]
    assert answer(result)["error"] in said(result)


async def test_a_training_that_fails_is_told_with_its_error(
    address: str, era: Era, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridge(address, era) as client:
        monkeypatch.setenv(VARIABLE, str(script(tmp_path / "failing", fail_at=1)))
        job = workshop.job((await asked(client, "start_training"))["job_id"])
        await reaches(stands(job, Standing.FAILED))
        result = await client.call_tool("get_training_status", {})
        assert answer(result)["status"] == "failed"
        assert "the loss is not finite" in said(result)
