"""The panel `talk` in a real browser where talking is not possible, or is refused, or breaks off."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from browser import chromium, opened, wanted
from loopback import service
from playwright.async_api import Locator, Page, WebSocketRoute, expect
from scripted_decoder import ScriptedDecoder, speaking_service
from tiny_adapters import published
from web_process import web_process

from emotional_ai import AsyncClient
from emotional_ai_training.conditioning import ADAPTERS

pytestmark = wanted


@asynccontextmanager
async def talking(decoder: ScriptedDecoder, keep: Path) -> AsyncIterator[tuple[Page, AsyncClient]]:
    """A page in front of a service that speaks when it is let."""
    for name in ADAPTERS:
        published(keep / "loras", name)
    async with speaking_service(decoder, keep / "loras") as served, AsyncClient(served.address) as client:
        with web_process(served.address, keep / "log") as web:
            async with chromium() as browser, opened(browser, web.session("default"), keep) as tab:
                yield tab.page, client
            assert web.complaints() == ""


def message(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


class Slow:
    """A way from the server to a page on which events wait until they are let; they begin with 42 in Socket.IO."""

    def __init__(self) -> None:
        self._waiting: list[str] | None = []
        self._page: WebSocketRoute

    def connect(self, page: WebSocketRoute) -> None:
        self._page = page
        page.connect_to_server().on_message(self._come)

    def _come(self, told: str | bytes) -> None:
        if self._waiting is None or not isinstance(told, str) or not told.startswith("42"):
            self._page.send(told)
        else:
            self._waiting.append(told)

    def let(self) -> None:
        """Lets through what waits, and what comes from now on."""
        waiting, self._waiting = self._waiting, None
        for told in waiting or ():
            self._page.send(told)


async def test_where_nobody_speaks_the_panel_says_so_and_how_to_start_somebody(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with chromium() as browser, opened(browser, web.session("default"), tmp_path) as tab:
            panel = tab.page.get_by_role("region", name="talk")
            await expect(panel.get_by_role("status")).to_contain_text("speaks no language")
            port = target.rpartition(":")[2]
            await expect(panel.get_by_role("status")).to_contain_text(f"emotional-ai serve --port {port}")
            await expect(panel.get_by_role("button", name="Send")).to_be_disabled()


async def test_what_is_refused_is_said_in_words_and_what_was_written_is_still_there(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    decoder.let(1)
    async with talking(decoder, tmp_path) as (page, _):
        await page.get_by_text("Seed and length").click()
        await page.get_by_role("textbox", name="Seed").fill("seven")
        await message(page).fill("Hello")
        await message(page).press("Enter")
        await expect(page.get_by_role("alert").filter(has_text="The seed is a whole number")).to_be_visible()
        await expect(message(page)).to_have_value("Hello")
        await expect(message(page)).to_be_focused()
        await page.get_by_role("textbox", name="Seed").fill("7")
        await expect(page.get_by_role("alert").filter(has_text="The seed")).to_have_count(0)
        await page.get_by_role("spinbutton", name="Most tokens").fill("9")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("region", name="Reply 1")).to_contain_text("seed 7")
        await expect(message(page)).to_have_value("")
        assert [(asked.seed, asked.max_tokens) for asked in decoder.asked if not asked.rehearsal] == [(7, 9)]


async def test_what_is_sent_before_the_conversation_is_here_is_said_once_it_is(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    decoder.let(2)
    async with talking(decoder, tmp_path) as (page, _):
        slow = Slow()
        await page.route_web_socket("**/socket.io/**", slow.connect)
        await page.reload()
        await message(page).fill("Hel")
        await message(page).press("Enter")
        await message(page).press_sequentially("lo")  # not yet, then
        await expect(page.get_by_role("button", name="Send")).to_be_disabled()
        await message(page).press("Enter")
        await message(page).press("Enter")
        await expect(message(page)).to_have_value("Hello")
        slow.let()
        await expect(page.get_by_role("region", name="Reply 1")).to_have_attribute("data-outcome", "finished")
        await expect(message(page)).to_have_value("")
        await message(page).fill("and")
        await message(page).press("Enter")
        await expect(page.get_by_role("region", name="Reply 2")).to_have_attribute("data-outcome", "finished")
        prompts = [asked.messages[-1].content for asked in decoder.asked if not asked.rehearsal]
        assert prompts == ["Hello", "and"]


async def test_shift_and_enter_is_a_new_line_and_begin_anew_forgets_the_turns(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    decoder.let(2)
    async with talking(decoder, tmp_path) as (page, _):
        await message(page).press_sequentially("one")
        await message(page).press("Shift+Enter")
        await message(page).press_sequentially("two")
        await message(page).press("Enter")
        reply = page.get_by_role("region", name="Reply 1")
        await expect(reply).to_have_attribute("data-outcome", "finished")
        await expect(page.get_by_role("button", name="Begin anew")).to_be_enabled()
        await page.get_by_role("button", name="Begin anew").click()
        await expect(reply).to_have_count(0)
        await message(page).fill("three")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("region", name="Reply 2")).to_have_attribute("data-outcome", "finished")
        prompts = [[one.content for one in asked.messages] for asked in decoder.asked if not asked.rehearsal]
        assert prompts == [["one\ntwo"], ["three"]]


async def test_a_reply_that_was_stopped_stays_and_a_session_deleted_takes_its_conversation_along(
    tmp_path: Path,
) -> None:
    decoder = ScriptedDecoder(tokens=2)
    async with talking(decoder, tmp_path) as (page, client):
        await message(page).fill("Hello")
        await message(page).press("Enter")
        decoder.let(1)
        reply = page.get_by_role("region", name="Reply 1")
        await expect(reply.locator(".said")).to_have_text("t0")
        await page.get_by_role("button", name="Stop").click()
        await expect(reply).to_contain_text("Stopped here.")
        await client.delete_session("default")
        await page.get_by_role("button", name="Create it").click()
        await expect(message(page)).to_be_visible()
        await expect(page.get_by_text("Say something. What is heard in it moves the session")).to_be_visible()
        await expect(reply).to_have_count(0)


async def test_a_reply_that_breaks_off_stays_with_the_reason_and_can_be_tried_again(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=2)
    async with AsyncExitStack() as while_there:
        served = await while_there.enter_async_context(speaking_service(decoder, tmp_path / "loras"))
        with web_process(served.address, tmp_path / "log") as web:
            async with chromium() as browser, opened(browser, web.session("default"), tmp_path) as tab:
                await message(tab.page).fill("Hello")
                await message(tab.page).press("Enter")
                decoder.let(1)
                reply = tab.page.get_by_role("region", name="Reply 1")
                await expect(reply.locator(".said")).to_have_text("t0")
                await while_there.aclose()
                await expect(reply.get_by_role("alert")).to_contain_text("The reply broke off")
                await expect(reply.get_by_role("alert")).to_contain_text("emotional-ai serve")
                await expect(reply.locator(".said")).to_have_text("t0")
                await tab.page.get_by_role("button", name="Say this again").click()
                dialog = tab.page.get_by_role("dialog")
                await expect(dialog.get_by_role("alert")).to_contain_text("The states could not be asked for")
                await expect(dialog.get_by_text("Asking for the states")).to_have_count(0)
                await expect(dialog.get_by_role("slider", name="dopamine")).to_be_enabled()
                await dialog.get_by_role("button", name="Cancel").click()
                await tab.page.get_by_role("button", name="Try again").click()
                await expect(reply.get_by_role("alert")).to_contain_text("There is no reply")
