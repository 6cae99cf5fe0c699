"""A conversation in a real browser: a reply grows, the curve and the blend move with it, and it is still there afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from accessibility import faint, tab_to, unnamed, wide
from browser import PHONE, Tab, chromium, opened, wanted
from loopback import PATIENCE
from playwright.async_api import Browser, Locator, Page, expect
from scripted_decoder import ScriptedDecoder, speaking_service
from tiny_adapters import published
from web_process import Web, web_process
from web_reading import moved

from emotional_ai.aio import AsyncClient

pytestmark = wanted
PROTOTYPES: Final = {
    "balanced": (0.5, 0.6, 0.3, 0.5),
    "high_dopamine": (0.9, 0.6, 0.3, 0.5),
    "high_cortisol": (0.5, 0.6, 0.85, 0.5),
    "high_oxytocin": (0.5, 0.6, 0.3, 0.9),
}
SCRIPT: Final = "<img src=x onerror='window.ran = true'><b>bold</b>"


@dataclass(frozen=True, slots=True)
class Held:
    """A page on which somebody talks."""

    tab: Tab
    web: Web
    browser: Browser
    client: AsyncClient

    @property
    def page(self) -> Page:
        return self.tab.page


@pytest.fixture
def loras(tmp_path: Path) -> Path:
    """Adapters of a few states."""
    for name, prototype in PROTOTYPES.items():
        published(tmp_path / "loras", name, prototype=prototype)
    return tmp_path / "loras"


@asynccontextmanager
async def talking(decoder: ScriptedDecoder, loras: Path, size: tuple[int, int] = (1280, 900)) -> AsyncIterator[Held]:
    """A page in front of a service that speaks when it is let."""
    keep = loras.parent
    async with speaking_service(decoder, loras) as served, AsyncClient(served.address) as client, chromium() as browser:
        with web_process(served.address, keep / "log") as web:
            async with opened(browser, web.session("default"), keep, size=size) as tab:
                yield Held(tab, web, browser, client)
            assert web.complaints() == ""


async def say(page: Page, words: str) -> None:
    """Types and sends, as soon as it can be sent."""
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await page.get_by_role("textbox", name="Message").fill(words)
    await page.get_by_role("textbox", name="Message").press("Enter")


def reply(page: Page, number: int) -> Locator:
    """The reply of a turn."""
    return page.get_by_role("region", name=f"Reply {number}", exact=True)


async def test_a_turn_is_spoken_and_curve_blend_and_reply_change(loras: Path) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras) as held:
        live = held.page.get_by_role("region", name="live")
        await expect(live).to_contain_text("balanced 100 %")
        await say(held.page, "I lost my keys")
        await expect(held.page.get_by_text("Heard: loss 0.90")).to_be_visible()
        await moved(held.page, "dopamine", under=0.45)
        await expect(live).not_to_contain_text("balanced 100 %")
        decoder.let(1)
        await expect(reply(held.page, 1).locator(".said")).to_have_text("t0")
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "speaking")
        decoder.let(2)
        await expect(reply(held.page, 1).locator(".said")).to_have_text("t0 t1 t2")
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "finished")
        first = await reply(held.page, 1).locator(".spoken").inner_text()
        decoder.let(3)
        await say(held.page, "you are kind")
        await moved(held.page, "oxytocin", over=0.6)
        await expect(reply(held.page, 2)).to_have_attribute("data-outcome", "finished")
        await expect(live).to_contain_text("high oxytocin")
        await expect(reply(held.page, 2).locator(".spoken")).to_contain_text("high oxytocin")
        await expect(reply(held.page, 1).locator(".spoken")).to_have_text(first, use_inner_text=True)


async def test_a_reply_is_tinted_where_what_happened_meanwhile_moved_its_blend(loras: Path) -> None:
    decoder = ScriptedDecoder(tokens=4)
    async with talking(decoder, loras) as held:
        await say(held.page, "hello")
        decoder.let(2)
        await expect(reply(held.page, 1).locator(".said")).to_have_text("t0 t1")
        await held.client.apply("default", threat=1.0)
        async with asyncio.timeout(PATIENCE):
            while not any(
                one.adapter == "high_cortisol" and one.weight > 0.3 for one in (await decoder.heard.get()).blend
            ):
                pass
        decoder.let(2)
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "finished")
        words = reply(held.page, 1).locator(".said span.tinted")
        assert await words.count() >= 2
        tints = await words.evaluate_all("(every) => every.map((one) => one.style.getPropertyValue('--tint'))")
        assert tints[0] != tints[-1]
        assert "high cortisol" in (await words.last.get_attribute("title") or "")
        await expect(reply(held.page, 1).get_by_role("list", name="How the blend moved")).to_contain_text(
            "from token 2"
        )


async def test_a_reply_is_stopped_by_escape_and_what_was_said_stays(loras: Path) -> None:
    decoder = ScriptedDecoder(tokens=50)
    async with talking(decoder, loras) as held:
        await say(held.page, "hello")
        decoder.let(1)
        await expect(reply(held.page, 1).locator(".said")).to_have_text("t0")
        await held.page.keyboard.press("Escape")
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "stopped")
        await expect(reply(held.page, 1).locator(".said")).to_have_text("t0")
        await expect(held.page.get_by_role("button", name="Send")).to_be_enabled()


async def test_the_same_is_said_again_in_another_state_beside_it(loras: Path) -> None:
    decoder = ScriptedDecoder()
    decoder.let(6)
    async with talking(decoder, loras) as held:
        await say(held.page, "hello")
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "finished")
        before = await held.client.state("default")
        await held.page.get_by_role("button", name="Say this again in another state").click()
        await held.page.get_by_role("radio", name="high cortisol").check()
        await expect(held.page.get_by_role("slider", name="cortisol")).to_have_value("0.85")
        await held.page.get_by_role("button", name="Say it").click()
        other = held.page.get_by_role("region", name="Reply 1, as high cortisol")
        await expect(other).to_have_attribute("data-outcome", "finished")
        await expect(other.locator(".spoken")).to_contain_text("cortisol 0.85")
        headings = held.page.get_by_role("list").get_by_role("heading", level=4)
        await expect(headings).to_have_text(["In the state it was in", "As high cortisol"])
        one, two = (request for request in decoder.asked if not request.rehearsal)
        assert [first.adapter for first in two.blend] == ["high_cortisol"]
        assert (one.seed, one.messages) == (two.seed, two.messages)
        assert (await held.client.state("default")).version == before.version


async def test_what_is_said_elsewhere_stands_among_the_turns_with_its_signals(loras: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    decoder.let(3)
    async with talking(decoder, loras) as held:
        await expect(held.page.get_by_role("button", name="Send")).to_be_enabled()
        async with held.client.converse("default", "I lost my keys") as turn:
            await turn.read()
        elsewhere = held.page.get_by_role("listitem").filter(has_text="A turn from elsewhere")
        await expect(elsewhere).to_have_text("A turn from elsewhere: loss 0.90")
        await say(held.page, "you are kind")
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "finished")
        await held.client.apply("default", threat=0.5)
        await expect(elsewhere).to_have_count(2)
        await held.page.reload()
        await expect(reply(held.page, 1)).to_be_visible()
        order = await held.page.locator(".turns > li").evaluate_all("(all) => all.map((one) => one.className)")
        assert order == ["elsewhere", "turn", "elsewhere"]


async def test_a_conversation_outlives_the_page_and_two_pages_share_it(loras: Path) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras) as held:
        await say(held.page, "hello")
        decoder.let(1)
        await expect(reply(held.page, 1).locator(".said")).to_have_text("t0")
        await held.page.reload()
        await expect(reply(held.page, 1).locator(".said")).to_have_text("t0")
        async with opened(held.browser, held.web.session("default"), loras.parent) as other:
            await expect(reply(other.page, 1).locator(".said")).to_have_text("t0")
            decoder.let(2)
            for page in (held.page, other.page):
                await expect(reply(page, 1).locator(".said")).to_have_text("t0 t1 t2")
                await expect(reply(page, 1)).to_have_attribute("data-outcome", "finished")


async def test_what_people_and_models_say_is_shown_as_text_and_never_run(loras: Path) -> None:
    decoder = ScriptedDecoder(tokens=1, says=SCRIPT)
    decoder.let(1)
    async with talking(decoder, loras) as held:
        await say(held.page, SCRIPT)
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "finished")
        await expect(reply(held.page, 1).locator(".said")).to_have_text(SCRIPT)
        await expect(held.page.locator(".user .said")).to_have_text(SCRIPT)
        assert await held.page.locator("img[src=x]").count() == 0
        assert await held.page.evaluate("window.ran") is None


async def test_a_chemical_has_the_same_colour_beside_a_reply_as_its_curve_has(loras: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    decoder.let(1)
    async with talking(decoder, loras) as held:
        await say(held.page, "hello")
        square = reply(held.page, 1).locator(".spoken span", has_text="serotonin").locator("i")
        for colours, colour in (("light", "rgb(0, 114, 178)"), ("dark", "rgb(86, 180, 233)")):
            await held.page.emulate_media(color_scheme=colours)
            await expect(square).to_have_css("background-color", colour)
            line = held.page.locator(".level[data-chemical=serotonin] line")
            await expect(line).to_have_css("stroke", colour)


async def test_a_visitor_with_a_keyboard_alone_talks_and_has_it_said_again(loras: Path) -> None:
    decoder = ScriptedDecoder()
    decoder.let(6)
    async with talking(decoder, loras) as held:
        await expect(held.page.get_by_role("button", name="Send")).to_be_enabled()
        await tab_to(held.page, "Message")
        await held.page.keyboard.type("hello")
        await held.page.keyboard.press("Enter")
        await expect(reply(held.page, 1)).to_have_attribute("data-outcome", "finished")
        await held.page.get_by_role("tab", name="Talk").focus()
        await tab_to(held.page, "Say this again in another state")
        await held.page.keyboard.press("Enter")
        await expect(held.page.get_by_role("radio", name="balanced")).to_be_visible()
        await held.page.get_by_role("radio", name="high dopamine").press("Space")
        await tab_to(held.page, "Say it")
        await held.page.keyboard.press("Enter")
        other = held.page.get_by_role("region", name="Reply 1, as high dopamine")
        await expect(other).to_have_attribute("data-outcome", "finished")


async def test_a_conversation_can_be_read_and_named_and_fits_a_phone(loras: Path) -> None:
    decoder = ScriptedDecoder(tokens=1, says="A_word_longer_than_any_screen_is_wide_" * 20)
    decoder.let(2)
    async with talking(decoder, loras, PHONE) as held:
        await held.page.get_by_role("tab", name="Talk").click()
        await expect(held.page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
        for number, words in ((1, "https://example.org/" + "a" * 400), (2, "I lost my keys")):
            await say(held.page, words)
            await expect(reply(held.page, number)).to_have_attribute("data-outcome", "finished")
        assert await wide(held.page) == 0
        assert await unnamed(held.page) == []
        for colours in ("light", "dark"):
            await held.page.emulate_media(color_scheme=colours)
            await expect(held.page.locator(f".body--{colours}")).to_be_attached()
            assert await faint(held.page) == [], colours
