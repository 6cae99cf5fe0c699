"""The rooms around a session in a real browser: sessions made, found and deleted, the adapters there are, what answers."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from accessibility import faint, unnamed, wide
from browser import PHONE, chromium, opened, wanted
from loopback import service
from playwright.async_api import expect
from scripted_decoder import ScriptedDecoder, speaking_service
from tiny_adapters import DIGEST, published
from web_process import web_process
from web_reading import felt

from emotional_ai import Client

pytestmark = wanted
LONGEST = "a" * 128


async def test_a_session_is_made_found_opened_and_deleted_with_the_keyboard(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web, Client(target) as client:
        client.create_session("bob")
        async with chromium() as browser, opened(browser, f"{web.url}/sessions", tmp_path) as tab:
            field = tab.page.get_by_role("textbox", name="New session")
            await field.fill("not an id")
            await expect(tab.page.get_by_role("alert").filter(has_text="This cannot be an id")).to_be_visible()
            await field.fill("ada")
            await field.press("Enter")
            sessions = tab.page.get_by_role("table", name="Sessions")
            await expect(sessions.get_by_role("link", name="ada")).to_be_visible()
            await expect(sessions.get_by_role("row")).to_have_count(3)
            await tab.page.get_by_role("searchbox", name="Search by id").fill("AD")
            await expect(sessions.get_by_role("row")).to_have_count(2)
            await sessions.get_by_role("link", name="ada").press("Enter")
            await expect(felt(tab.page)).to_have_text("neutral")
            await tab.page.go_back()
            await sessions.get_by_role("button", name="Delete ada").press("Enter")
            asked = tab.page.get_by_role("dialog", name="Delete session ada?")
            await tab.page.keyboard.press("Escape")
            await expect(asked).to_be_hidden()
            assert [one.session_id for one in client.list_sessions()] == ["ada", "bob"]
            await sessions.get_by_role("button", name="Delete ada").press("Enter")
            await asked.get_by_role("button", name="Delete").press("Enter")
            await expect(sessions.get_by_role("link", name="ada")).to_be_hidden()
            assert [one.session_id for one in client.list_sessions()] == ["bob"]


async def test_a_session_that_is_deleted_elsewhere_says_so_on_its_page_and_can_be_made_anew(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web, Client(target) as client:
        client.create_session("gone")
        async with chromium() as browser, opened(browser, web.session("gone"), tmp_path) as tab:
            await expect(felt(tab.page)).to_have_text("neutral")
            client.delete_session("gone")
            await expect(tab.page.get_by_text("There is no session gone.")).to_be_visible()
            await tab.page.get_by_role("button", name="Create it").click()
            await expect(felt(tab.page)).to_have_text("neutral")


@pytest.mark.parametrize(
    "path", ["<img src=x onerror='window.ran = true'>", "no such id", "a" * 129, "'\"</script><b>"]
)
async def test_an_address_that_is_no_session_is_told_as_text(tmp_path: Path, path: str) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web:
        address = web.session(quote(path, safe=""))
        async with chromium() as browser, opened(browser, address, tmp_path, forgiven=("404",)) as tab:
            await expect(tab.page.locator("#main")).to_contain_text(re.compile("There is no|cannot|must", re.I))
            await expect(tab.page.locator("#main .card")).to_be_visible()
            assert await tab.page.locator("img[src=x], #main b").count() == 0
            assert await tab.page.evaluate("window.ran") is None
            await tab.page.get_by_role("link", name="Sessions", exact=True).click()
            await expect(tab.page.get_by_role("textbox", name="New session")).to_be_visible()


async def test_the_longest_id_fits_a_phone(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web, Client(target) as client:
        client.create_session(LONGEST)
        async with chromium() as browser, opened(browser, web.session(LONGEST), tmp_path, size=PHONE) as tab:
            await expect(felt(tab.page)).to_have_text("neutral")
            assert await wide(tab.page) == 0
            await tab.page.get_by_role("link", name="Sessions").click()
            await expect(tab.page.get_by_role("link", name=LONGEST)).to_be_visible()
            assert await wide(tab.page) == 0


async def test_adapters_and_health_tell_what_there_is(tmp_path: Path) -> None:
    published(tmp_path / "loras", "high_cortisol", prototype=(0.5, 0.6, 0.85, 0.5))
    async with speaking_service(ScriptedDecoder(), tmp_path / "loras") as served, chromium() as browser:
        with web_process(served.address, tmp_path / "log") as web:
            async with opened(browser, f"{web.url}/adapters", tmp_path, size=PHONE) as tab:
                main = tab.page.locator("#main")
                await expect(main).to_contain_text("high cortisol")
                await expect(main).to_contain_text(DIGEST[:8])
                await expect(main).to_contain_text("0.85")
                for room, words in (("adapters", "tiny"), ("health", "0 being decoded, 0 waiting")):
                    await tab.page.goto(f"{web.url}/{room}")
                    await expect(main).to_contain_text(re.compile(words, re.I))
                    assert await wide(tab.page) == 0, room
                    assert await unnamed(tab.page) == [], room
                    for colours in ("light", "dark"):
                        await tab.page.emulate_media(color_scheme=colours)
                        await expect(tab.page.locator(f".body--{colours}")).to_be_attached()
                        assert await faint(tab.page) == [], f"{room}, {colours}"
