"""The panel `why` in a real browser: spans, events as they come, and what people wrote shown as they wrote it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from browser import chromium, opened, wanted
from loopback import hosted, in_file, service
from playwright.async_api import Locator, Page, expect
from ports import nowhere
from web_process import web_process

from emotional_ai import AsyncClient
from emotional_ai.v1 import engine_pb2 as pb

pytestmark = wanted
SCRIPT = "<img src=x onerror=\"document.title='moved'\"><b>bold</b> {{ 7 * 7 }}"


@asynccontextmanager
async def asking(keep: Path, *stimuli: pb.Stimulus) -> AsyncIterator[tuple[Page, AsyncClient]]:
    """The panel of a session to which something has happened."""
    with service() as target, web_process(target, keep / "log") as web:
        async with AsyncClient(target) as client, chromium() as browser:
            await client.create_session("ada")
            at_once = 1 if len(stimuli) < 128 else 128  # what is applied at once happens at one moment
            for start in range(0, len(stimuli), at_once):
                await client.apply_stimuli("ada", stimuli[start : start + at_once])
            async with opened(browser, web.session("ada"), keep) as tab:
                await tab.page.get_by_role("tab", name="Why").click()
                await expect(events(tab.page).first).to_be_visible()
                yield tab.page, client
        assert web.complaints() == ""


def events(page: Page) -> Locator:
    return page.get_by_role("list", name="Events, the newest first").get_by_role("listitem")


def cause(page: Page, name: str) -> Locator:
    table = page.get_by_role("table", name="Change of each chemical by each cause")
    return table.get_by_role("rowheader", name=name, exact=True)


def happened(**signals: float) -> pb.Stimulus:
    return pb.Stimulus(event=pb.Signals(**signals))


async def test_a_span_lies_between_the_events_that_were_chosen(tmp_path: Path) -> None:
    stimuli = [happened(praise=0.5), happened(threat=0.5), happened(loss=0.5)]
    async with asking(tmp_path, *stimuli) as (page, _):
        for name in ("praise", "threat", "loss", "homeostasis"):
            await expect(cause(page, name)).to_be_visible()
        await page.get_by_role("button", name="Begin the span at event 3").click()
        await expect(cause(page, "praise")).to_have_count(0)
        await expect(cause(page, "loss")).to_be_visible()
        await page.get_by_role("button", name="End the span at event 3").click()
        await expect(cause(page, "loss")).to_have_count(0)
        await expect(cause(page, "threat")).to_be_visible()
        await expect(page.get_by_role("button", name="From event", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
        await page.get_by_role("spinbutton", name="First event of the span").fill("9")
        await page.get_by_role("button", name="From event", exact=True).click()
        await expect(page.get_by_text("the first event is not among the events listed, 1 to 4; got 9")).to_be_visible()
        await page.get_by_role("spinbutton", name="Minutes to look back").fill("5")
        await page.get_by_role("button", name="Last", exact=True).click()
        await expect(cause(page, "praise")).to_be_visible()


async def test_what_people_wrote_is_shown_as_they_wrote_it(tmp_path: Path) -> None:
    async with asking(tmp_path, pb.Stimulus(event=pb.Signals(praise=0.5), note=SCRIPT)) as (page, _):
        await expect(events(page).first).to_contain_text(SCRIPT)
        assert await page.title() == "ada - Emotional AI"


async def test_events_join_the_list_as_they_happen_and_the_explanation_follows(tmp_path: Path) -> None:
    async with asking(tmp_path, happened(praise=0.5)) as (page, client):
        await expect(events(page)).to_have_count(2)
        await client.apply("ada", threat=0.9, note="a dog barked")
        await expect(events(page).first).to_contain_text("a dog barked")
        await expect(events(page).first).to_contain_text("cortisol +0.")
        await expect(cause(page, "threat")).to_be_visible()
        await page.get_by_role("tab", name="Touch").click()
        await client.reset_session("ada")
        await page.get_by_role("tab", name="Why").click()
        await expect(cause(page, "resets")).to_be_visible()
        await expect(page.get_by_role("checkbox", name="event 4 happened: reset")).to_be_disabled()
        await expect(page.get_by_role("checkbox", name="event 1 happened")).to_be_disabled()


async def test_several_events_are_thought_away_and_the_other_life_is_read_with_the_keys(tmp_path: Path) -> None:
    async with asking(tmp_path, happened(praise=0.5), happened(threat=0.9), happened(loss=0.9)) as (page, _):
        for number in (3, 4):
            await page.get_by_role("checkbox", name=f"event {number} happened").uncheck()
        await expect(page.get_by_text("Without events 3, 4 it would now be")).to_be_visible()
        lives = page.get_by_role("group", name="As it was, and without what was unticked")
        await lives.focus()
        await page.keyboard.press("End")
        await expect(lives.get_by_role("status")).to_contain_text("cortisol: as it was 0.")
        await page.get_by_role("checkbox", name="event 3 happened").check()
        await expect(page.get_by_text("Without event 4 it would now be")).to_be_visible()
        await page.get_by_role("button", name="Clear").click()
        await expect(lives).to_have_count(0)


async def test_a_long_life_is_listed_a_page_at_a_time_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    async with asking(tmp_path, *[happened(praise=0.01)] * 1100) as (page, _):
        await expect(page.get_by_text("101 earlier events are not listed.")).to_be_visible()
        await expect(events(page).first).to_contain_text("1101")
        await page.get_by_role("button", name="Older").click()
        await expect(events(page).first).to_contain_text("1093")
        await expect(page.get_by_text("2 of 125")).to_be_visible()
        await page.get_by_role("button", name="Newer").click()
        await expect(events(page).first).to_contain_text("1101")


async def test_what_was_wanted_while_the_service_was_away_is_shown_once_it_is_back(tmp_path: Path) -> None:
    target = nowhere()
    settings = replace(in_file(tmp_path / "sessions.db"), port=int(target.rpartition(":")[2]))
    with web_process(target, tmp_path / "log") as web:
        async with chromium() as browser:
            with hosted(settings):
                async with AsyncClient(target) as client:
                    await client.create_session("ada")
                    await client.apply("ada", threat=0.8)
            async with opened(browser, web.session("ada"), tmp_path) as tab:
                away = tab.page.get_by_role("alert").filter(has_text="No service answers")
                with hosted(settings):
                    await expect(tab.page.get_by_role("tab", name="Why")).to_be_visible()
                await expect(away).to_be_visible()
                await tab.page.get_by_role("tab", name="Why").click()
                await expect(tab.page.get_by_text("the service does not answer", exact=True)).to_be_visible()
                with hosted(settings):
                    await expect(away).to_be_hidden()
                    await expect(cause(tab.page, "threat")).to_be_visible()
                    await expect(events(tab.page).first).to_be_visible()
