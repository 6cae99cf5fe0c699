"""The panel `touch` in a real browser where two people edit, files are wrong, and the service goes away."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from browser import chromium, opened, wanted
from loopback import hosted, service
from playwright.async_api import Locator, Page, expect
from web_process import Web, web_process

from emotional_ai import AsyncClient, DynamicsConfig, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb

pytestmark = wanted
SAVED_AND_TYPED = """(button, field) => {
    button.click();
    field.value = "44";
    field.dispatchEvent(new Event("input", { bubbles: true }));
}"""
"""Types before the answer to what was saved can be there."""


@asynccontextmanager
async def editing(web: Web, session_id: str, keep: Path) -> AsyncIterator[tuple[Page, Page]]:
    """Two visitors of one session, each with the editor open."""
    async with (
        chromium() as browser,
        opened(browser, web.session(session_id), keep) as one,
        opened(browser, web.session(session_id), keep) as other,
    ):
        for tab in (one, other):
            await editor(tab.page)
        yield one.page, other.page


async def editor(page: Page) -> None:
    await page.get_by_role("tab", name="Touch").click()
    await page.locator("summary").filter(has_text="Personality").click()
    await expect(page.get_by_role("group", name="How praise and a threat would decay")).to_be_visible()


def half_life(page: Page, chemical: str = "dopamine") -> Locator:
    return page.get_by_role("group", name="Half-lives").get_by_role("spinbutton", name=chemical)


def save(page: Page) -> Locator:
    return page.get_by_role("button", name="Save", exact=True)


def said(page: Page, words: str) -> Locator:
    return page.get_by_role("region", name="touch").get_by_role("status").filter(has_text=words)


async def test_of_two_people_who_edit_the_second_is_told_and_decides(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with AsyncClient(target) as client, editing(web, "default", tmp_path) as (one, other):
            await half_life(one).fill("30")
            await half_life(other).fill("50")
            await save(one).click()
            await expect(said(one, "Saved; in force from now on.")).to_be_visible()
            told = other.get_by_role("alert").filter(has_text="changed elsewhere meanwhile")
            await expect(told).to_be_visible()
            await expect(save(other)).to_be_disabled()
            await expect(half_life(other)).to_have_value("50")
            assert (await client.get_session("default")).config.dynamics.half_life_minutes.dopamine == 30
            await other.get_by_role("button", name="Keep my edits").click()
            await save(other).click()
            await expect(said(other, "Saved; in force from now on.")).to_be_visible()
            await expect(half_life(one)).to_have_value("50")
            await expect(one.get_by_role("alert").filter(has_text="changed elsewhere")).to_have_count(0)
            await half_life(one).fill("70")
            await half_life(other).fill("90")
            await save(other).click()
            await one.get_by_role("button", name="Take what is in force").click()
            await expect(half_life(one)).to_have_value("90")
            await expect(save(one)).to_be_disabled()
        assert web.complaints() == ""


async def test_what_is_typed_while_it_is_saved_stays_and_can_be_saved_next(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with (
            AsyncClient(target) as client,
            chromium() as browser,
            opened(browser, web.session("default"), tmp_path) as tab,
        ):
            await editor(tab.page)
            await half_life(tab.page).fill("30")
            await expect(save(tab.page)).to_be_enabled()
            field = await half_life(tab.page, "serotonin").element_handle()
            await save(tab.page).evaluate(SAVED_AND_TYPED, field)
            await expect(said(tab.page, "Stable: this can be saved.")).to_be_visible()
            await expect(half_life(tab.page, "serotonin")).to_have_value("44")
            await save(tab.page).click()
            await expect(said(tab.page, "Saved; in force from now on.")).to_be_visible()
            kept = (await client.get_session("default")).config.dynamics.half_life_minutes
            assert (kept.dopamine, kept.serotonin) == (30, 44)
            changes = [one.WhichOneof("effect") for one in (await client.history("default")).entries]
            assert changes == ["created", "configured", "configured"]
        assert web.complaints() == ""


async def test_time_that_somebody_froze_is_seen_frozen_by_all_and_is_no_conflict(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with AsyncClient(target) as client, editing(web, "default", tmp_path) as (one, other):
            await half_life(one).fill("30")
            await other.get_by_role("button", name="fast 60", exact=True).click()
            await expect(one.get_by_text("60 simulated minutes pass in a minute.")).to_be_visible()
            await other.get_by_role("button", name="Freeze").click()
            await expect(one.get_by_text("Frozen.")).to_be_visible()
            await save(one).click()
            await expect(said(one, "Saved; in force from now on.")).to_be_visible()
            now = (await client.get_session("default")).config.dynamics
            assert (now.time_scale, now.half_life_minutes.dopamine) == (0, 30)
            await one.get_by_role("button", name="Go on").click()
            await expect(other.get_by_text("60 simulated minutes pass in a minute.")).to_be_visible()
        assert web.complaints() == ""


async def test_a_configuration_goes_to_a_file_and_one_from_elsewhere_is_judged(tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with (
            AsyncClient(target) as client,
            chromium() as browser,
            opened(browser, web.session("default"), tmp_path) as tab,
        ):
            page = tab.page
            await editor(page)
            await half_life(page).fill("30")
            async with page.expect_download() as coming:
                await page.get_by_role("button", name="Save to a file").click()
            await (await coming.value).save_as(given)
            assert json.loads(given.read_text())["dynamics"]["half_life_minutes"]["dopamine"] == 30

            file = page.get_by_label("File of a configuration")
            given.write_text('{"dynamics": {"couplings": {}}}')
            await file.set_input_files(given)
            await expect(page.get_by_text('no field named "couplings"')).to_be_visible()
            given.write_text('{"dynamics": {"coupling": {"cortisol": {"dopamine": 4.5}}}}')
            await file.set_input_files(given)
            cell = page.get_by_role("spinbutton", name="coupling: cortisol, dopamine")
            await expect(cell).to_have_value("4.5")
            row = page.get_by_role("table", name="coupling").get_by_role("row").filter(has_text="must be below 4")
            await expect(row).to_contain_text("cortisol: sum of |coupling|")
            given.write_text('{"dynamics": {"personality": {"neuroticism": 0.9}, "mood": {}, "timeScale": 600}}')
            await file.set_input_files(given)
            await expect(page.get_by_role("radio", name="Big Five traits")).to_be_checked()
            await expect(page.get_by_role("checkbox", name="Slow mood")).to_be_checked()
            await save(page).click()
            await expect(said(page, "Saved; in force")).to_be_visible()
            wanted = SessionConfig(
                dynamics=DynamicsConfig(personality=pb.BigFive(neuroticism=0.9), mood=pb.MoodConfig(), time_scale=10)
            )
            same = await client.create_session("same", config=wanted)
            assert (await client.get_session("default")).config == same.config
        assert web.complaints() == ""


async def test_a_field_left_empty_is_told_and_edits_are_undone(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with chromium() as browser, opened(browser, web.session("default"), tmp_path) as tab:
            await editor(tab.page)
            await half_life(tab.page).fill("")
            await expect(tab.page.locator("[data-path='dynamics.half_life_minutes.dopamine'] .fault")).to_have_text(
                "needs a number"
            )
            await expect(save(tab.page)).to_be_disabled()
            await tab.page.get_by_role("button", name="Undo the edits").click()
            await expect(half_life(tab.page)).to_have_value("10")
            await expect(said(tab.page, "As in force.")).to_be_visible()
        assert web.complaints() == ""


async def test_a_wrong_session_is_told_by_its_paths_and_nothing_is_made(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with AsyncClient(target) as client, chromium() as browser:
            await client.create_session("ada")
            await client.apply("ada", praise=0.5)
            text = await client.export_json("ada")
            async with opened(browser, web.session("ada"), tmp_path) as tab:
                await tab.page.get_by_role("tab", name="Touch").click()
                await tab.page.locator("summary").filter(has_text="Export and import").click()
                file.write_text(text.replace('"praise": 0.5', '"praise": 5'))
                await tab.page.get_by_label("File of a session").set_input_files(file)
                await tab.page.get_by_label("Id of the imported session").fill("eve")
                await tab.page.get_by_role("button", name="Import", exact=True).click()
                wrongs = tab.page.get_by_role("alert").filter(has_text="session.entries[1].stimulus.event.praise:")
                await expect(wrongs).to_be_visible()
                await expect(said(tab.page, "Nothing was imported.")).to_be_visible()
            assert [one.session_id async for one in client.list_sessions()] == ["ada"]
        assert web.complaints() == ""


async def test_a_long_life_with_words_of_any_script_is_imported_in_parts(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with AsyncClient(target) as client, chromium() as browser:
            await client.create_session("ada")
            for _ in range(8):
                stimuli = [pb.Stimulus(event=pb.Signals(praise=0.1), note="\U0001f642\u00e9" * 100)] * 128
                await client.apply_stimuli("ada", stimuli)
            file.write_text(await client.export_json("ada"), encoding="utf-8")
            assert file.stat().st_size > 1_000_000
            async with opened(browser, web.session("ada"), tmp_path) as tab:
                await tab.page.get_by_role("tab", name="Touch").click()
                await tab.page.locator("summary").filter(has_text="Export and import").click()
                await tab.page.get_by_label("File of a session").set_input_files(file)
                await tab.page.get_by_label("Id of the imported session").fill("eve")
                await tab.page.get_by_role("button", name="Import", exact=True).click()
                await expect(said(tab.page, "Imported as")).to_be_visible()
            assert await client.export_json("eve") == (await client.export_json("ada")).replace('"ada"', '"eve"')
        assert web.complaints() == ""


async def test_without_a_service_a_press_and_an_edit_say_what_became_of_them(tmp_path: Path) -> None:
    with hosted() as running, web_process(running.address, tmp_path / "log") as web:
        async with chromium() as browser, opened(browser, web.session("default"), tmp_path) as tab:
            await editor(tab.page)
            running.end()
            await expect(tab.page.get_by_role("alert").filter(has_text="No service answers")).to_be_visible()
            await tab.page.get_by_role("button", name="praise", exact=True).click()
            await expect(said(tab.page, "not applied")).to_be_visible()
            await expect(tab.page.get_by_text("the service does not answer", exact=True)).to_be_visible()
            await half_life(tab.page).fill("30")
            await expect(said(tab.page, "Not checked: the service did not answer.")).to_be_visible()
            await expect(save(tab.page)).to_be_disabled()
