"""A session moved by hand and asked why in a real browser: signals, time, personality, files, and what would have been."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from accessibility import faint, tab_to, unnamed, wide
from browser import PHONE, opened, wanted
from playwright.async_api import Browser, Locator, Page, expect
from web_process import Web
from web_reading import drawn, felt, level, marked, moved

from emotional_ai.aio import AsyncClient
from emotional_ai.v1 import engine_pb2 as pb

pytestmark = wanted
pytest_plugins = ("web_stage",)
NEAR = 120
"""Pixels from a box that is unticked to the curves that answer it."""
_ENDS = "(paths) => paths.map((one) => Number(one.getAttribute('d').split(' ').at(-1)))"
"""How low each of some curves ends, in thousandths of their picture."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a session's page."""

    page: Page
    at: Locator

    @classmethod
    async def shown(cls, page: Page, name: str) -> "Panel":
        """Chooses a panel."""
        await page.get_by_role("tab", name=name.capitalize()).click()
        at = page.get_by_role("region", name=name, exact=True)
        await expect(at).to_be_visible()
        return cls(page, at)

    async def open(self, summary: str) -> None:
        """Opens what is folded away."""
        await self.at.locator("summary").filter(has_text=summary).first.click()

    def button(self, name: str) -> Locator:
        """A button by its name."""
        return self.at.get_by_role("button", name=name, exact=True)


async def test_a_press_of_a_signal_moves_the_curve(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("pressed")
    async with opened(browser, web.session("pressed"), tmp_path) as tab:
        touch = await Panel.shown(tab.page, "touch")
        await touch.button("threat").click()
        await moved(tab.page, "cortisol", over=0.4)
        await marked(tab.page, 1)
        await expect(touch.at.get_by_text("threat 0.70: applied")).to_be_visible()
        await touch.at.get_by_role("slider", name="Intensity of a press").fill("1")
        await touch.button("reward").click()
        await moved(tab.page, "dopamine", over=0.6)
    _, threat, reward = (await client.history("pressed")).entries
    assert (threat.stimulus.event, reward.stimulus.event) == (pb.Signals(threat=0.7), pb.Signals(reward=1.0))


async def test_a_signal_is_held_until_it_is_ended(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("held")
    async with opened(browser, web.session("held"), tmp_path) as tab:
        touch = await Panel.shown(tab.page, "touch")
        await touch.open("Several at once")
        await touch.at.get_by_role("slider", name="praise, intensity").fill("0.5")
        await touch.at.get_by_role("spinbutton", name="Hold for simulated minutes").fill("0")
        await touch.button("Hold").click()
        await expect(touch.at.get_by_text("Held now: praise 0.50")).to_be_visible()
        assert (await client.state("held")).sustained == pb.Signals(praise=0.5)
        await touch.button("End what is held").click()
        await expect(touch.at.get_by_text("Held now:")).to_be_hidden()
        assert (await client.state("held")).sustained == pb.Signals()


async def test_time_is_frozen_let_pass_and_goes_on(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("timed")
    async with opened(browser, web.session("timed"), tmp_path) as tab:
        touch = await Panel.shown(tab.page, "touch")
        await touch.button("Freeze").click()
        await expect(touch.at.get_by_text("Frozen.")).to_be_visible()
        await touch.button("threat").click()
        await moved(tab.page, "cortisol", over=0.4)
        frozen = await client.state("timed")
        await touch.button("1 day").click()
        await moved(tab.page, "cortisol", under=0.31)
        assert frozen.chemistry.cortisol > 0.4
        await touch.button("Go on").click()
        await expect(touch.at.get_by_text("Frozen.")).to_be_hidden()
        assert (await client.get_session("timed")).config.dynamics.time_scale == 10


async def test_a_personality_that_would_not_be_stable_is_refused_in_words_as_it_is_typed(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    created = await client.create_session("unstable")
    async with opened(browser, web.session("unstable"), tmp_path) as tab:
        touch = await Panel.shown(tab.page, "touch")
        await touch.open("Personality")
        cell = touch.at.get_by_role("spinbutton", name="coupling: dopamine, serotonin")
        await cell.fill("4.5")
        said = touch.at.get_by_role("status").filter(has_text="This cannot be:")
        await expect(said).to_be_visible()
        await expect(touch.at.locator("ul.fault")).to_contain_text("below 4")
        await expect(touch.button("Save").first).to_be_disabled()
        assert (await client.get_session("unstable")).config == created.config
        await cell.fill("0.5")
        await expect(touch.at.get_by_role("status").filter(has_text="Stable: this can be saved.")).to_be_visible()
        await touch.button("Save").click()
        await expect(touch.button("Save")).to_be_disabled()
        config = (await client.get_session("unstable")).config
        assert config.dynamics.coupling.dopamine.serotonin == 0.5


async def test_a_baseline_that_is_saved_is_where_the_curves_rest(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("rested")
    async with opened(browser, web.session("rested"), tmp_path) as tab:
        touch = await Panel.shown(tab.page, "touch")
        await touch.open("Personality")
        await touch.at.get_by_role("spinbutton", name="cortisol", exact=True).first.fill("0.55")
        await touch.button("Save").click()
        await expect(tab.page.locator(".level[data-chemical=cortisol]")).to_contain_text("at rest 0.55")


async def test_a_session_goes_to_a_file_and_comes_back_under_another_name(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("kept")
    await client.apply("kept", praise=0.8)
    async with opened(browser, web.session("kept"), tmp_path) as tab:
        touch = await Panel.shown(tab.page, "touch")
        await touch.open("Export and import")
        async with tab.page.expect_download() as coming:
            await touch.button("Export this session").click()
        file = tmp_path / "kept.json"
        await (await coming.value).save_as(file)
        assert json.loads(file.read_text())
        await touch.at.get_by_label("File of a session").set_input_files(file)
        await touch.at.get_by_label("Id of the imported session").fill("kept-again")
        await touch.button("Import").click()
        await touch.at.get_by_role("link", name="kept-again").click()
        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("kept-again")
        await marked(tab.page, 1)
        touch = await Panel.shown(tab.page, "touch")
        await touch.open("Export and import")
        await touch.at.get_by_label("File of a session").set_input_files(file)
        await touch.button("Import").click()
        await expect(touch.at.get_by_role("status").get_by_role("link", name="kept-again-")).to_be_visible()
    _, praise = (await client.history("kept-again")).entries
    assert praise.stimulus.event == pb.Signals(praise=0.8)


async def test_why_names_what_moved_each_chemical_and_what_would_have_been_without_an_event(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("asked")
    await client.apply("asked", reward=0.8)
    await client.apply("asked", threat=0.9)
    async with opened(browser, web.session("asked"), tmp_path) as tab:
        why = await Panel.shown(tab.page, "why")
        await expect(
            why.at.get_by_role("img", name=re.compile(r"Change by cause\..*cortisol \+0\.2\d\d"))
        ).to_be_visible()
        sums = why.at.get_by_role("table", name="Change of each chemical by each cause")
        await expect(sums.get_by_role("row", name=re.compile(r"threat −0\.0\d\d −0\.1\d\d \+0\.2"))).to_be_visible()
        box = why.at.get_by_role("checkbox", name="event 3 happened: threat 0.90")
        await box.uncheck()
        await expect(why.at.get_by_role("status").filter(has_text="Without event 3 it would now be")).to_be_visible()
        levels = why.at.get_by_role("table", name="Levels now, and as they would be")
        now, otherwise = (await levels.get_by_role("row", name="cortisol").get_by_role("cell").all_inner_texts())[:2]
        assert float(now) > 0.5
        assert float(otherwise) < 0.3
        lives = why.at.get_by_role("group", name="As it was, and without what was unticked")
        both = await lives.locator("figure", has_text="cortisol").locator("path").evaluate_all(_ENDS)
        assert abs(both[0] - both[1]) > 100
        above, below = await box.bounding_box(), await lives.bounding_box()
        assert above is not None
        assert below is not None
        assert 0 < below["y"] - above["y"] < NEAR
        assert (await drawn(tab.page, "cortisol"))[-1][1] > 0.5
        await why.button("Clear").click()
        await expect(why.at.get_by_role("checkbox", name="event 3 happened: threat 0.90")).to_be_checked()


async def test_the_panels_can_be_read_and_named_and_fit_a_phone(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("read")
    await client.apply("read", pb.Stimulus(event=pb.Signals(reward=0.8), note="a note " * 30))
    async with opened(browser, web.session("read"), tmp_path, size=PHONE) as tab:
        for name in ("live", "touch", "why"):
            panel = await Panel.shown(tab.page, name)
            if name == "touch":
                for summary in ("Several at once", "Personality", "What each signal does", "Export and import"):
                    await panel.open(summary)
            await expect(panel.at.locator("canvas, svg, .happened-rows").first).to_be_visible()
            assert await wide(tab.page) == 0, name
            assert await unnamed(tab.page) == [], name
            for colours in ("light", "dark"):
                await tab.page.emulate_media(color_scheme=colours)
                await expect(tab.page.locator(f".body--{colours}")).to_be_attached()
                assert await faint(tab.page) == [], f"{name}, {colours}"


async def test_a_visitor_with_a_keyboard_alone_finds_the_signals_and_presses_one(
    web: Web, client: AsyncClient, browser: Browser, tmp_path: Path
) -> None:
    await client.create_session("keyed")
    async with opened(browser, web.session("keyed"), tmp_path) as tab:
        await expect(felt(tab.page)).to_have_text("neutral")
        await tab_to(tab.page, "Talk")
        await tab.page.keyboard.press("ArrowRight")
        await tab_to(tab.page, "threat")
        await tab.page.keyboard.press("Enter")
        await moved(tab.page, "cortisol", over=0.4)
        await expect(level(tab.page, "cortisol")).not_to_have_text("0.30")
