"""What is around every page, in a real browser: where one comes in, how one gets on, what is said while the service is away."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from accessibility import faint, reached, unnamed, wide
from browser import PHONE, chromium, opened, wanted
from loopback import hosted, in_file, service
from playwright.async_api import expect
from ports import nowhere
from web_process import Web, web_process

pytestmark = wanted
ROOMS: Final = ("Sessions", "Adapters", "Training", "Health")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A page in front of a service without language."""
    with service() as target, web_process(target, tmp_path_factory.mktemp("web") / "log") as page:
        yield page


async def test_the_first_page_is_the_session_it_was_started_with(web: Web, tmp_path: Path) -> None:
    async with chromium() as browser, opened(browser, web.url, tmp_path) as tab:
        await expect(tab.page).to_have_url(web.session("default"))
        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("default")
        await expect(tab.page.get_by_role("region", name="live")).to_be_visible()


async def test_no_request_leaves_the_machine(web: Web, tmp_path: Path) -> None:
    async with chromium() as browser, opened(browser, web.url, tmp_path) as tab:
        for room in (*ROOMS, "Agent"):
            await tab.page.get_by_role("navigation").get_by_role("link", name=room, exact=True).click()
            await expect(tab.page.locator("#main")).to_be_visible()
            await tab.page.wait_for_load_state("networkidle")
        assert any(url.startswith("ws://127.0.0.1") for url in tab.requests)
        assert tab.strangers() == []


async def test_the_page_may_ask_no_other_machine(web: Web, tmp_path: Path) -> None:
    refused = "Content Security Policy"
    async with chromium() as browser, opened(browser, web.url, tmp_path, forgiven=(refused,)) as tab:
        assert await tab.page.evaluate("fetch('https://example.org').catch(() => 'refused')") == "refused"
        assert refused in tab.errors[0]


async def test_every_room_can_be_read_and_named_in_light_and_dark(web: Web, tmp_path: Path) -> None:
    async with chromium() as browser, opened(browser, web.url, tmp_path) as tab:
        for room in (*ROOMS, "Agent"):
            await tab.page.get_by_role("navigation").get_by_role("link", name=room, exact=True).click()
            await tab.page.wait_for_load_state("networkidle")
            for colours in ("light", "dark"):
                await tab.page.emulate_media(color_scheme=colours)
                await expect(tab.page.locator(f".body--{colours}")).to_be_attached()
                assert await faint(tab.page) == [], f"{room}, {colours}"
            assert await unnamed(tab.page) == [], room


async def test_every_room_fits_a_phone(web: Web, tmp_path: Path) -> None:
    async with chromium() as browser, opened(browser, web.url, tmp_path, size=PHONE) as tab:
        for room in (*ROOMS, "Agent"):
            await tab.page.get_by_role("navigation").get_by_role("link", name=room, exact=True).click()
            await tab.page.wait_for_load_state("networkidle")
            assert await wide(tab.page) == 0, room


async def test_the_choice_of_colours_is_kept(web: Web, tmp_path: Path) -> None:
    async with chromium() as browser, opened(browser, web.url, tmp_path) as tab:
        await tab.page.get_by_role("button", name="Colours: as the system").click()
        await tab.page.get_by_role("button", name="Colours: light").click()
        await expect(tab.page.locator("body.body--dark")).to_be_attached()
        await tab.page.reload()
        await expect(tab.page.get_by_role("button", name="Colours: dark")).to_be_visible()
        await expect(tab.page.locator("body.body--dark")).to_be_attached()


async def test_tab_begins_with_a_way_past_the_navigation_and_everything_it_comes_to_is_seen(
    web: Web, tmp_path: Path
) -> None:
    async with chromium() as browser, opened(browser, web.url, tmp_path) as tab:
        for panel in ("Talk", "Touch", "Why"):
            await tab.page.get_by_role("tab", name=panel).click()
            stops = await reached(tab.page)
            assert stops[0].words == "Skip to the content"
            assert {*ROOMS, "Agent", panel} <= {stop.words for stop in stops}
            assert [stop for stop in stops if not (stop.seen and stop.outlined and stop.words)] == []


async def test_the_panels_are_chosen_with_the_arrow_keys(web: Web, tmp_path: Path) -> None:
    async with chromium() as browser, opened(browser, web.url, tmp_path) as tab:
        await tab.page.get_by_role("tab", name="Talk").focus()
        await tab.page.keyboard.press("ArrowRight")
        await expect(tab.page.get_by_role("tab", name="Touch")).to_be_focused()
        await expect(tab.page.get_by_role("region", name="touch")).to_be_visible()
        await expect(tab.page.get_by_role("region", name="talk")).to_be_hidden()


async def test_a_page_says_that_its_service_is_away_and_goes_on_by_itself_once_it_is_back(tmp_path: Path) -> None:
    target = nowhere()
    settings = replace(in_file(tmp_path / "sessions.db"), port=int(target.rpartition(":")[2]))
    with web_process(target, tmp_path / "log") as web:
        async with chromium() as browser, opened(browser, web.session("default"), tmp_path) as tab:
            away = tab.page.get_by_role("alert").filter(has_text=f"No service answers at {target}")
            await expect(away).to_be_visible()
            await expect(away).to_contain_text("emotional-ai serve")
            with hosted(settings):
                await expect(away).to_be_hidden()
                await expect(tab.page.get_by_role("region", name="live")).to_be_visible()
            await expect(away).to_be_visible()
