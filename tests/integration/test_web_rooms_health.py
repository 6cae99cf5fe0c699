"""The rooms of the adapters and of health, over real services."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import IN_MEMORY, PATIENCE, hosted, in_file, service
from mcp_bridge import nowhere
from scripted_speech import Script, scripted_service
from tiny_adapters import published
from tiny_jobs import script
from training_service import Workshop
from web_rooms import entered

from emotional_ai import AsyncClient, TrainingConfig
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1 import training_pb2
from emotional_ai.web.conversation import Conversation, Conversations, Outcome, Told, Turn
from emotional_ai.web.page.adapters import adapters
from emotional_ai.web.page.health import health
from emotional_ai.web.page.health.room import Health


def health_alone(client: AsyncClient) -> None:
    """The room on a page where nobody has said anything."""
    health(client, Conversations(client))


async def reported(client: AsyncClient, job_id: str) -> None:
    """Waits until a job has made a step."""
    async with client.watch_job(job_id) as watch:
        async for news in watch:
            if news.progress.step:
                return


async def answered(conversation: Conversation, text: str) -> None:
    """Says something, and waits until it was answered."""
    finished = asyncio.Event()

    def told(what: Told) -> None:
        if isinstance(what, Turn) and what.reply.outcome is Outcome.FINISHED:
            finished.set()

    leave = conversation.join(told)
    conversation.say(text, pb.Sampling())
    async with asyncio.timeout(PATIENCE):
        await finished.wait()
    leave()


async def test_adapters_are_shown_without_a_model_which_is_said_to_be_off(tmp_path: Path) -> None:
    loras = tmp_path / "loras"
    published(loras, "balanced")
    digest = published(loras, "high_dopamine", scale_calibrated=False, scale=1.0).digest
    settings = replace(IN_MEMORY, jobs=replace(IN_MEMORY.jobs, jobs_dir=tmp_path / "jobs", loras_dir=loras))
    with service(settings) as target:
        async with AsyncClient(target) as client, entered(adapters, client) as sight:
            told = {one["name"]: one for one in await sight.shows("fill")}
            assert told.keys() == {"balanced", "high_dopamine"}
            assert told["high_dopamine"]["digest"] == digest
            assert (told["high_dopamine"]["calibrated"], told["balanced"]["calibrated"]) == (False, True)
            assert told["balanced"]["prototype"]["serotonin"] == pytest.approx(0.6)
            assert "--engine-only" in await sight.shows("silent")


async def test_an_adapter_that_is_published_appears_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loras = tmp_path / "loras"
    settings = replace(IN_MEMORY, jobs=replace(IN_MEMORY.jobs, jobs_dir=tmp_path / "jobs", loras_dir=loras))
    with service(settings) as target:
        async with AsyncClient(target) as client, entered(adapters, client) as sight:
            monkeypatch.setattr(type(sight.room), "SECONDS", 0.05)
            sight.does("looking")
            assert await sight.shows("fill") == []
            published(loras, "balanced")
            await sight.shows("fill", lambda told: [one["name"] for one in told] == ["balanced"])


async def test_every_part_of_a_service_without_language_is_told(workshop: Workshop, tmp_path: Path) -> None:
    path = script(tmp_path / "script", steps=2, gates=[1])
    with workshop.service() as target:
        async with AsyncClient(target) as client:
            await client.create_session("ada")
            config = TrainingConfig(data_path=str(path))
            first, _ = [await client.start_job(training_pb2.RECIPE_ALL, config=config) for _ in range(2)]
            await reported(client, first.job_id)
            async with entered(health_alone, client) as sight:
                parts = {one["name"]: one for one in await sight.shows("fill")}
                standings = {name: one["standing"] for name, one in parts.items()}
                assert standings == {"Emotion engine": "up", "Language model": "off", "Training": "up"}
                assert "--engine-only" in parts["Language model"]["words"]
                assert all(one["milliseconds"] > 0 for one in parts.values())
                assert await sight.shows("count") == {"sessions": 1, "running": 1, "queued": 1, "jobs": 2}
                assert await sight.shows("appraise") == {"turns": 0, "classified": 0}


async def test_what_was_said_on_the_page_and_classified_is_counted() -> None:
    with scripted_service(Script()) as target:
        async with AsyncClient(target) as client:
            conversations = Conversations(client)
            conversation = conversations.of(await client.create_session("ada"))
            for text in ("you are kind", "the table is brown"):
                await answered(conversation, text)
            async with entered(lambda on: health(on, conversations), client) as sight:
                assert await sight.shows("appraise") == {"turns": 2, "classified": 1}


async def test_a_service_that_is_away_is_down_and_up_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Health, "SECONDS", 0.05)
    target = nowhere()
    settings = replace(in_file(tmp_path / "sessions.db"), port=int(target.rpartition(":")[2]))
    async with AsyncClient(target) as client, entered(health_alone, client) as sight:
        parts = await sight.shows("fill")
        assert {one["standing"] for one in parts} == {"down"}
        assert {one["milliseconds"] for one in parts} == {None}
        assert await sight.shows("stale", bool)
        with hosted(settings):
            await sight.shows("fill", lambda told: {one["standing"] for one in told} == {"up", "off"})
            await sight.shows("stale", lambda words: not words)
            sight.does("away")
