"""The panel `live` in a real browser: what a mark tells, and how the session feels and would speak."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from browser import chromium, opened, wanted
from playwright.async_api import Locator, Page, expect
from scripted_decoder import ScriptedDecoder, speaking_service
from tiny_adapters import published
from web_process import web_process
from web_reading import marked

from emotional_ai import AsyncClient, DynamicsConfig, SessionConfig
from emotional_ai.web.page.written import minus

pytestmark = wanted

LIVE: Final = "window.getElement(document.querySelector('.live').id.slice(1))"
NEWEST: Final = f"""() => {{
    const {{ chart, past }} = {LIVE}.pictures[0];
    return chart.convertToPixel("grid", [past.marks.at(-1).time, 0])[0];
}}"""
"""Where the newest mark stands, in pixels from the left of the curves."""
NOW_AT: Final = f"(valence) => {LIVE}.pictures[1].chart.getOption().series.at(-1).data[0]?.[0] === valence"
"""Whether the plane shows a valence."""
PICTURES: Final = f"""() => {LIVE}.pictures.map(({{ chart }}) => chart.getOption().series.map(
    ({{ name, data, stack, areaStyle, markLine }}) =>
        ({{ name, data, stack, area: !!areaStyle, rest: markLine?.data[0]?.yAxis }})))"""
"""What each of the four pictures draws."""
FROZEN: Final = SessionConfig(dynamics=DynamicsConfig(time_scale=0))
PROTOTYPES: Final = {"balanced": (0.5, 0.6, 0.3, 0.5), "high_cortisol": (0.5, 0.6, 0.85, 0.5)}


@asynccontextmanager
async def looking(keep: Path) -> AsyncIterator[tuple[Page, AsyncClient]]:
    """A page of a session whose agent has two voices."""
    for name, prototype in PROTOTYPES.items():
        published(keep / "loras", name, prototype=prototype)
    async with speaking_service(ScriptedDecoder(), keep / "loras") as served, AsyncClient(served.address) as client:
        await client.create_session("default", config=FROZEN)
        with web_process(served.address, keep / "log") as web:
            async with chromium() as browser, opened(browser, web.session("default"), keep) as tab:
                yield tab.page, client
            assert web.complaints() == ""


def told(page: Page) -> Locator:
    """What is told of the marks pointed at."""
    return page.locator(".tip-mark")


async def test_a_mark_pointed_at_or_chosen_with_the_keys_tells_its_signals_and_what_each_moved(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, client):
        curves = page.get_by_role("group", name="Levels over time")
        await expect(curves).to_be_visible()
        await client.apply("default", threat=0.9, praise=0.5, note="a dog barked")
        await marked(page, 1)
        box = await page.locator(".curves").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + await page.evaluate(NEWEST), box["y"] + 60)
        await expect(told(page)).to_contain_text("threat 0.90")
        await expect(told(page)).to_contain_text("a dog barked")
        for words in ("threat moved dopamine −0.", "cortisol +0.", "praise moved dopamine +0."):
            await expect(told(page)).to_contain_text(words)
        await page.mouse.move(box["x"], box["y"] - 60)
        await expect(told(page)).to_have_count(0)
        await client.skip("default", 30)
        await marked(page, 2)
        await curves.focus()
        await page.keyboard.press("ArrowLeft")
        await expect(told(page).last).to_contain_text("30 minutes passed at once")
        await page.keyboard.press("ArrowLeft")
        await expect(told(page).first).to_contain_text("threat 0.90")


async def test_how_it_feels_and_would_speak_is_told_and_drawn(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, client):
        live = page.get_by_role("region", name="live")
        await expect(live).to_contain_text("balanced 100 %")
        await client.apply("default", threat=1.0)
        state = await client.state("default")
        speaks = await client.preview_expression(state.chemistry)
        sure = max(one.probability for one in speaks.label_probabilities)
        await expect(live.locator(".live-label")).to_have_text(f"anxietyconfidence {100 * sure:.0f} %")
        where = minus(f"Valence {state.valence:+.2f}, arousal {state.arousal:+.2f}")
        await expect(live.get_by_role("img", name=where)).to_be_visible()
        await expect(live).to_contain_text("high cortisol")
        for words in (f"temperature {speaks.temperature:.2f}", f"top_p {speaks.top_p:.2f}"):
            await expect(live.get_by_text(words)).to_be_visible()

        await page.wait_for_function(NOW_AT, arg=round(state.valence, 4))  # it is drawn less often than the curves
        curves, plane, blend, manner = await page.evaluate(PICTURES)
        rests = {one["name"]: one["rest"] for one in curves if one["name"] != "events"}
        assert rests == {"dopamine": 0.5, "serotonin": 0.6, "cortisol": 0.3, "oxytocin": 0.5}
        assert drawn(plane, "now")[0][:2] == pytest.approx([state.valence, state.arousal], abs=1e-4)
        assert drawn(plane, "path")[0][0] > state.valence
        assert all(one["stack"] == "blend" and one["area"] for one in blend)
        shares = {one["name"]: one["data"][-1][1] for one in blend}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
        assert shares["high_cortisol"] > 0.3
        for name, value in (("temperature", speaks.temperature), ("top_p", speaks.top_p)):
            assert drawn(manner, name)[-1][1] == pytest.approx(value, abs=1e-4)


def drawn(picture: list[dict[str, Any]], name: str) -> list[list[float]]:
    """The points drawn under a name."""
    points: list[list[float]] = next(one["data"] for one in picture if one["name"] == name)
    return points


async def test_what_has_a_tab_is_the_panel_of_that_tab(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, _):
        await page.get_by_role("tab", name="Why").click()
        await expect(page.get_by_role("tabpanel", name="Why", exact=True)).to_contain_text("Why it feels so")
        await expect(page.get_by_role("tabpanel")).to_have_count(1)
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.get_by_role("tab", name="Live").click()
        await expect(page.get_by_role("tabpanel", name="Live", exact=True)).to_contain_text("dopamine")
        await expect(page.get_by_role("tabpanel")).to_have_count(1)
