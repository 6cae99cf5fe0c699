"""The rooms of the adapters and of health, over real services."""

from dataclasses import replace
from pathlib import Path

import pytest
from loopback import IN_MEMORY, hosted, in_file, service
from ports import nowhere
from scripted_decoder import ScriptedDecoder, speaking_service
from tiny_adapters import published
from tiny_jobs import script
from training_service import Workshop
from web_rooms import entered

from emotional_ai import AsyncClient, Chemistry, TrainingConfig
from emotional_ai.v1 import training_pb2
from emotional_ai.web.page.adapters import adapters
from emotional_ai.web.page.health import health
from emotional_ai.web.page.health.room import Health


async def reported(client: AsyncClient, job_id: str) -> None:
    """Waits until a job has made a step."""
    async with client.watch_job(job_id) as watch:
        async for news in watch:
            if news.progress.step:
                return


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
            async with entered(health, client) as sight:
                parts = {one["name"]: one for one in await sight.shows("fill")}
                standings = {name: one["standing"] for name, one in parts.items()}
                assert standings == {"Emotion engine": "up", "Language model": "off", "Training": "up"}
                assert "--engine-only" in parts["Language model"]["words"]
                assert all(one["milliseconds"] > 0 for one in parts.values())
                assert await sight.shows("count") == {"sessions": 1, "running": 1, "queued": 1, "jobs": 2}
                assert await sight.shows("carry") == {"replies": "–", "texts": "–"}


async def test_replies_under_way_and_the_share_of_texts_that_carried_a_signal_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Health, "SECONDS", 0.05)
    decoder = ScriptedDecoder(tokens=1)
    async with speaking_service(decoder, tmp_path) as served, AsyncClient(served.address) as client:
        await client.appraise(["you are kind", "the table is brown"])
        async with entered(health, client) as sight, client.generate("hello", under=Chemistry()) as reply:
            assert (await sight.shows("carry"))["texts"] == "1 of 2 carried a signal (50 %)"
            await anext(aiter(reply))
            await sight.shows("carry", lambda told: told["replies"] == "1 being decoded, 0 waiting (16 fit together)")
            decoder.let(1)
            await sight.shows("carry", lambda told: told["replies"].startswith("0 being decoded"))


async def test_a_service_that_is_away_is_down_and_up_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Health, "SECONDS", 0.05)
    target = nowhere()
    settings = replace(in_file(tmp_path / "sessions.db"), port=int(target.rpartition(":")[2]))
    async with AsyncClient(target) as client, entered(health, client) as sight:
        parts = await sight.shows("fill")
        assert {one["standing"] for one in parts} == {"down"}
        assert {one["milliseconds"] for one in parts} == {None}
        assert await sight.shows("stale", bool)
        with hosted(settings):
            await sight.shows("fill", lambda told: {one["standing"] for one in told} == {"up", "off"})
            await sight.shows("stale", lambda words: not words)
            sight.does("away")
