"""The panel `touch` in a real browser where signals are held for a while, and a session is put back to rest."""

from pathlib import Path

from browser import chromium, opened, wanted
from loopback import service
from playwright.async_api import expect
from web_process import web_process
from web_reading import moved

from emotional_ai import AsyncClient, Signals

pytestmark = wanted


async def test_signals_held_for_minutes_end_with_them_and_a_session_is_put_back_to_rest(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with (
            AsyncClient(target) as client,
            chromium() as browser,
            opened(browser, web.session("default"), tmp_path) as tab,
        ):
            await tab.page.get_by_role("tab", name="Touch").click()
            touch = tab.page.get_by_role("region", name="touch", exact=True)
            await touch.get_by_role("spinbutton", name="Time scale").fill("")
            await expect(touch.get_by_role("button", name="Set", exact=True)).to_be_disabled()
            await touch.get_by_role("button", name="Freeze", exact=True).click()
            await touch.locator("summary").filter(has_text="Several at once").first.click()
            await touch.get_by_role("slider", name="threat, intensity").fill("0.5")
            await touch.get_by_role("spinbutton", name="Hold for simulated minutes").fill("")
            await expect(touch.get_by_role("button", name="Hold", exact=True)).to_be_disabled()
            await touch.get_by_role("spinbutton", name="Hold for simulated minutes").fill("20")
            await touch.get_by_role("button", name="Hold", exact=True).click()
            await expect(touch.get_by_text("Held now: threat 0.50")).to_be_visible()
            await touch.get_by_role("button", name="10 minutes", exact=True).click()
            await moved(tab.page, "cortisol", over=0.35)
            assert (await client.state("default")).sustained == Signals(threat=0.5)
            await touch.get_by_role("button", name="10 minutes", exact=True).click()
            await expect(touch.get_by_text("Held now:")).to_be_hidden()
            await touch.get_by_role("button", name="Reset to baseline", exact=True).click()
            await expect(touch.get_by_text("back at the baseline")).to_be_visible()
            await moved(tab.page, "cortisol", under=0.301)
            at_rest = await client.state("default")
        assert (at_rest.chemistry.cortisol, at_rest.sustained) == (0.3, Signals())
        assert web.complaints() == ""
