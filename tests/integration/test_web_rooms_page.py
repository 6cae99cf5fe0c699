"""The rooms of the adapters, of training and of health in a real browser: what is told, drawn, and asked before it is done."""

import re
from pathlib import Path

from browser import chromium, opened, wanted
from loopback import service
from playwright.async_api import WebSocketRoute, expect
from scripted_speech import Script, scripted_service
from tiny_jobs import open_gate, script
from training_service import Workshop
from web_process import web_process

from emotional_ai import AsyncClient
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1 import training_pb2
from emotional_ai.v1.engine_pb2 import Chemistry

pytestmark = wanted

DIGEST = "0123456789abcdef" * 4
LONGEST_MS = 8000
"""How long a room waits for an answer."""
CURVE = "loss over {} reports: from 1 to "


async def test_an_adapter_is_shown_with_all_that_is_known_of_it_and_why_it_is_refused(tmp_path: Path) -> None:
    levels = Chemistry(dopamine=0.9, serotonin=0.6, cortisol=0.35, oxytocin=0.5)
    known = pb.Adapter(
        name="high_dopamine",
        prototype=levels,
        scale=0.75,
        scale_calibrated=True,
        rank=16,
        digest=DIGEST,
        metrics={"held_out_loss": 3.1274},
    )
    other = pb.Adapter(name="other", prototype=levels, refused="made for <b>another</b> base model")
    with (
        scripted_service(Script(adapters=(known, other))) as target,
        web_process(target, tmp_path / "log") as web,
    ):
        async with chromium() as browser, opened(browser, f"{web.url}/adapters", tmp_path) as tab:
            shown = tab.page.get_by_role("article", name="high dopamine")
            for words in ("0.35", "0.75, measured", "Rank16", DIGEST[:8]):
                await expect(shown).to_contain_text(words)
            await expect(shown).not_to_contain_text("Cannot be blended")
            await shown.get_by_text("What it scored").click()
            await expect(shown.get_by_text("3.127")).to_be_visible()
            refused = tab.page.get_by_role("article", name="other")
            await expect(refused).to_contain_text("Cannot be blended: made for <b>another</b> base model")


async def test_an_answer_that_was_lost_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    def lossy(browser: WebSocketRoute) -> None:
        page = browser.connect_to_server()
        browser.on_message(lambda said: None if "unheard" in str(said) else page.send(said))

    with service() as target, web_process(target, tmp_path / "log") as web:
        async with chromium() as browser, opened(browser, f"{web.url}/sessions", tmp_path) as tab:
            await tab.page.route_web_socket(re.compile("socket.io"), lossy)
            await tab.page.clock.install()
            await tab.page.reload()
            create = tab.page.get_by_role("button", name="Create", exact=True)
            await tab.page.get_by_role("textbox", name="New session").fill("unheard")
            await create.click()
            await expect(create).to_be_disabled()
            await tab.page.clock.fast_forward(LONGEST_MS)
            await expect(tab.page.get_by_role("alert").filter(has_text="No answer came")).to_be_visible()
            await tab.page.get_by_role("textbox", name="New session").fill("heard")
            await create.click()
            await expect(tab.page.get_by_role("link", name="heard").first).to_be_visible()
        assert web.complaints() == ""


async def test_a_training_is_started_drawn_as_it_goes_cancelled_once_confirmed_and_resumed(
    workshop: Workshop, tmp_path: Path
) -> None:
    path = script(tmp_path / "script", steps=4, gates=[2])
    with workshop.service() as target, web_process(target, tmp_path / "log") as web:
        async with (
            AsyncClient(target) as client,
            chromium() as browser,
            opened(browser, f"{web.url}/training", tmp_path) as tab,
        ):
            await tab.page.locator("summary", has_text="Start a training").click()
            await tab.page.get_by_role("textbox", name="Data").fill(str(path))
            await tab.page.get_by_role("button", name="Start", exact=True).click()
            await expect(tab.page.get_by_role("img", name=CURVE.format(2))).to_be_visible()
            (job,) = [one async for one in client.list_jobs()]

            await tab.page.get_by_role("button", name="Cancel", exact=True).click()
            asked = tab.page.get_by_role("dialog", name=f"Cancel {job.job_id}?")
            await asked.get_by_role("button", name="Keep it running").click()
            await expect(asked).to_be_hidden()
            assert (await client.get_job(job.job_id)).status == training_pb2.JOB_STATUS_RUNNING
            await tab.page.get_by_role("button", name="Cancel", exact=True).click()
            await asked.get_by_role("button", name="Cancel the job").click()
            await expect(tab.page.get_by_role("region", name=job.job_id)).to_contain_text("cancelled")

            open_gate(path, 2)
            await tab.page.get_by_role("button", name="Resume", exact=True).click()
            await tab.page.get_by_role("dialog").get_by_role("button", name="Resume", exact=True).click()
            await expect(tab.page.get_by_role("region", name=job.job_id)).to_contain_text("succeeded")
            await expect(tab.page.get_by_role("img", name=CURVE.format(4))).to_be_visible()
        assert web.complaints() == ""


async def test_what_answers_what_was_classified_and_what_waits_is_told(workshop: Workshop, tmp_path: Path) -> None:
    path = script(tmp_path / "script", steps=2, gates=[1])
    config = training_pb2.TrainingConfig(data_path=str(path))
    with workshop.service() as target, web_process(target, tmp_path / "log") as web:
        async with AsyncClient(target) as client:
            for _ in range(2):
                await client.start_job(training_pb2.RECIPE_ALL, config=config)
            async with chromium() as browser, opened(browser, f"{web.url}/health", tmp_path) as tab:
                parts = tab.page.get_by_role("table", name="Parts of the service")
                for part, standing in (("Emotion engine", "up"), ("Language model", "off"), ("Training", "up")):
                    await expect(parts.get_by_role("row").filter(has_text=part)).to_contain_text(standing)
                await expect(tab.page.locator("#main")).to_contain_text("1 running, 1 queued")
                await expect(tab.page.locator("#main")).to_contain_text(re.compile("Texts appraised\\s*–"))
