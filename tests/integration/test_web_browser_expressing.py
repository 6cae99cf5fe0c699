"""What is disclosed, and how much of what is felt shows, in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from browser import chromium, opened, wanted
from loopback import PATIENCE, wall_clock
from playwright.async_api import Page, expect
from scripted_decoder import ScriptedDecoder, speaking_service
from web_process import web_process

from emotional_ai.aio import AsyncClient
from emotional_ai_service.safeguard import Notice, Oversight, Rule, Rules
from emotional_ai_service.safeguard.phrase import Phrase

pytestmark = wanted
NOTICE = "You talk to a program. <b>bold</b>"
STORM = Rule("storm", (Phrase.read("storm"),), intensity=0.25, disclosure="Stay inside.")


@asynccontextmanager
async def shown(tmp_path: Path) -> AsyncIterator[tuple[Page, AsyncClient]]:
    """The page of a session on a service with something to disclose."""
    decoder = ScriptedDecoder(tokens=3)
    decoder.let(9)
    oversight = Oversight(wall_clock, Rules([STORM]), Notice(NOTICE))
    async with (
        asyncio.timeout(PATIENCE),
        speaking_service(decoder, tmp_path / "loras", oversight=oversight) as served,
        AsyncClient(served.address) as client,
        chromium() as browser,
    ):
        await client.create_session("default")
        with web_process(served.address, tmp_path / "log") as web:
            async with opened(browser, web.session("default"), tmp_path) as tab:
                yield tab.page, client
            assert web.complaints() == ""


async def test_a_reply_stands_below_what_is_disclosed_line_by_line(tmp_path: Path) -> None:
    async with shown(tmp_path) as (page, _):
        message = page.get_by_role("textbox", name="Message")
        await expect(page.get_by_role("button", name="Send")).to_be_enabled()
        await message.fill("What a storm!")
        await message.press("Enter")
        reply = page.locator(".reply")
        await expect(reply.get_by_role("note")).to_have_text([NOTICE, "Stay inside."])
        await expect(reply.locator(".said")).to_have_text("t0 t1 t2 ")
        await reply.get_by_text("More about this reply").click()
        await expect(reply.locator("dl")).to_contain_text("expressed of what is felt0.25")
        await expect(reply.locator("dl")).to_contain_text("flagged by the guardstorm")


async def test_the_editor_turns_the_intensity_and_refuses_a_cap_below_the_baseline(tmp_path: Path) -> None:
    async with shown(tmp_path) as (page, client):
        await page.get_by_role("tab", name="Touch").click()
        touch = page.get_by_role("region", name="touch", exact=True)
        for summary in ("Personality", "What each signal does"):
            await touch.locator("summary").filter(has_text=summary).first.click()
        dial = touch.locator('[data-path="expression.intensity"] input[type="number"]')
        cap = touch.locator('[data-path="expression.caps.cortisol"]')
        save = touch.get_by_role("button", name="Save", exact=True)
        await expect(dial).to_have_value("1")
        await dial.fill("0.5")
        await cap.locator("input").fill("0.2")
        await expect(cap.locator(".fault")).to_contain_text("must be at least the baseline, 0.3")
        await expect(save).to_be_disabled()
        await cap.locator("input").fill("0.6")
        await expect(save).to_be_enabled()
        await save.click()
        await expect(touch.get_by_role("status").filter(has_text="in force from now on")).to_be_visible()
        expression = (await client.get_session("default")).config.expression
        assert (expression.intensity, expression.caps.cortisol, expression.caps.dopamine) == (0.5, 0.6, 1.0)
