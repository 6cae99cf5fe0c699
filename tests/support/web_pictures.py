"""Pictures of the running page: a conversation with the real model after a few minutes of a life, in light and in dark.

live       a service in this process whose past is made by setting its clock forward
pictures   holds the conversation in a browser, and writes pictures and a moving one of a turn into a folder
"""

import asyncio
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from browser import PHONE, Tab
from loopback import PATIENCE, service
from PIL import Image
from playwright.async_api import Locator, Page, expect
from web_reading import marked, moved, passed

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.settings import JobSettings, LanguageSettings, Settings, StoreKind, StoreSettings
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir

ROOT: Final = Path(__file__).resolve().parents[2]
SESSION: Final = "ada"
START_US: Final = round(datetime(2026, 1, 5, 9, tzinfo=UTC).timestamp() * 1e6)
"""When the session begins."""
PAST: Final = (
    (40, pb.Signals(praise=0.8, achievement=0.5), "the demo went well"),
    (80, pb.Signals(novelty=0.7), "a new idea"),
    (70, pb.Signals(conflict=0.7, uncertainty=0.4), "a quarrel about money"),
    (60, pb.Signals(relaxation=0.6), ""),
)
"""Seconds until something happens, and what."""
TURNS: Final = (("I lost my job today", "11"), ("thank you for listening, you are kind", "3"))
"""Words, and the seed of the reply to them."""
COMMON: Final = 160
"""Colours of a picture, of 256, that are taken as they are."""
FRAME_WIDTH: Final = 900
LAST_FRAME_MS: Final = 2500


class Clock:
    """Wall time that all but stands still until it is set forward, so that a session comes to the same states each time."""

    def __init__(self) -> None:
        self._now = START_US

    def __call__(self) -> int:
        self._now += 1  # no two states are of one time
        return self._now

    def forward(self, seconds: float) -> None:
        """Lets time pass at once."""
        self._now += round(seconds * 1e6)


@contextmanager
def live() -> Iterator[tuple[str, Clock]]:
    """Serves a session with a past, and the real model; yields host:port, and the clock."""
    cache, clock = cache_dir(os.environ), Clock()
    language = LanguageSettings(model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache)
    jobs = JobSettings(loras_dir=ROOT / "loras")
    settings = Settings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language, jobs=jobs)
    with service(settings, clock) as address:
        with Client(address) as client:
            client.create_session(SESSION)
            for seconds, signals, note in PAST:
                clock.forward(seconds)
                client.apply(SESSION, signals, note=note)
        clock.forward(45)
        yield address, clock


async def pictures(tab: Tab, clock: Clock, folder: Path) -> None:
    """Talks, asks why and moves things on a page of the session; writes web_*.png and web_turn.gif into `folder`."""
    page = tab.page
    await marked(page, len(PAST))
    await _frames(page, folder / "web_turn.gif")
    clock.forward(40)
    await (await _write(page, *TURNS[1])).press("Enter")
    await expect(_reply(page, 2)).to_have_attribute("data-outcome", "finished")
    clock.forward(15)
    await passed(page, 15)
    await _both(page, folder, "web_talk")
    await _why(page)
    await _both(page, folder, "web_why")
    await _touch(page)
    await _both(page, folder, "web_touch")
    await _personality(page)
    await _both(page, folder, "web_personality")
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    await page.get_by_role("tab", name="Live").click()
    await moved(page, "oxytocin", over=0.0)
    await _shot(page, folder / "web_phone.png")


async def _write(page: Page, words: str, seed: str) -> Locator:
    """Words that can be sent, with the seed of the reply; gives their field."""
    options = page.locator("details.options summary")
    await options.click()
    await page.get_by_label("Seed", exact=True).fill(seed)
    await options.click()
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    field = page.get_by_role("textbox", name="Message")
    await field.fill(words)
    return field


def _reply(page: Page, number: int) -> Locator:
    return page.get_by_role("region", name=f"Reply {number}", exact=True)


async def _frames(page: Page, file: Path) -> None:
    """The first turn as it is spoken, a picture that moves."""
    field = await _write(page, *TURNS[0])
    frames = [(time.monotonic(), await page.screenshot())]
    await field.press("Enter")
    async with asyncio.timeout(PATIENCE):
        while await page.locator("[data-outcome=finished]").count() == 0:
            frames.append((time.monotonic(), await page.screenshot()))
    frames.append((time.monotonic(), await page.screenshot()))
    await asyncio.to_thread(_animated, frames, file)


def _animated(frames: list[tuple[float, bytes]], file: Path) -> None:
    """Frames as they came, each shown for as long as it was true."""
    shown = []
    for _, taken in frames:
        with Image.open(io.BytesIO(taken)) as one:
            height = round(one.height * FRAME_WIDTH / one.width)
            shown.append(one.convert("RGB").resize((FRAME_WIDTH, height), Image.Resampling.LANCZOS))
    palette = _palette(shown[-1])
    few = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in shown]
    times = [round(1000 * (after - before)) for (before, _), (after, _) in pairwise(frames)]
    few[0].save(file, save_all=True, append_images=few[1:], duration=[*times, LAST_FRAME_MS], loop=0, optimize=True)


def _palette(of: Image.Image) -> Image.Image:
    """The colours of large areas as they are, and others so that thin lines keep theirs."""
    counted: list[tuple[int, tuple[int, int, int]]] = of.getcolors(of.width * of.height)  # type: ignore[assignment]
    common = [level for _, colour in sorted(counted, reverse=True)[:COMMON] for level in colour]
    others = of.quantize(256 - COMMON, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(common + others)
    return palette


async def _why(page: Page) -> None:
    """What would have been without the quarrel."""
    await page.get_by_role("tab", name="Why").click()
    why = page.get_by_role("region", name="why", exact=True)
    await why.get_by_role("checkbox", name="conflict").uncheck()
    lives = why.locator("[data-otherwise]")
    await expect(lives).to_be_visible()
    await lives.evaluate("(one) => one.scrollIntoView({ block: 'end' })")


async def _touch(page: Page) -> None:
    """Signals and time."""
    await page.get_by_role("tab", name="Touch").click()
    await page.evaluate("window.scrollTo(0, 0)")
    await expect(page.locator("[data-signal=reward]")).to_be_visible()


async def _personality(page: Page) -> None:
    """A coupling that would not be stable."""
    touch = page.get_by_role("region", name="touch", exact=True)
    await touch.locator("summary").filter(has_text="Personality").click()
    cell = touch.get_by_role("spinbutton", name="coupling: dopamine, serotonin")
    await cell.fill("4.5")
    await expect(touch.get_by_role("status").filter(has_text="This cannot be:")).to_be_visible()
    await cell.evaluate("(one) => one.scrollIntoView({ block: 'center' })")


async def _both(page: Page, folder: Path, name: str) -> None:
    for colours in ("dark", "light"):
        await page.emulate_media(color_scheme=colours)
        await expect(page.locator(f".body--{colours}")).to_be_attached()
        await _shot(page, folder / f"{name}_{colours}.png")


async def _shot(page: Page, file: Path) -> None:
    """A small picture of what is in sight."""
    with Image.open(io.BytesIO(await page.screenshot())) as taken:
        shown = taken.convert("RGB")
    shown.quantize(palette=_palette(shown), dither=Image.Dither.NONE).save(file, optimize=True)
