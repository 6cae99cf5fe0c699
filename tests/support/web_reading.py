"""What the panel `live` of an open page shows: its words, and what its curves are drawn from.

level       the element that tells a chemical's level, in two digits
felt        the element that tells the label
drawn       the curve of a chemical as it is drawn: pairs of milliseconds and level
moved       waits until what is drawn last of a chemical is at least, or at most, so much
marked      waits until so many events are marked
newest      the version of the session that was told of last
passed      waits until the curves go on for so long after what happened last
"""

from typing import Final

from playwright.async_api import Locator, Page

_FOUND: Final = "window.getElement?.(document.querySelector('.live')?.id.slice(1))"
_CURVES: Final = f"(() => {{ try {{ return {_FOUND} }} catch {{ return undefined }} }})()"
"""The component, by the id NiceGUI gave it; nothing while a page is being loaded, when asking for it fails."""
_SERIES: Final = f"{_CURVES}?.pictures[0].chart.getOption().series.find((one) => one.name === name)?.data"


def level(page: Page, chemical: str) -> Locator:
    """Tells the level of a chemical."""
    return page.locator(f".level[data-chemical={chemical}] dd b")


def felt(page: Page) -> Locator:
    """Tells the label."""
    return page.locator(".live-feels")


async def drawn(page: Page, chemical: str) -> list[tuple[float, float]]:
    """The curve of a chemical, or `events` for the marks above the curves."""
    points: list[list[float]] = await page.evaluate(f"(name) => {_SERIES}", chemical)
    return [(time, value) for time, value in points]


async def moved(page: Page, chemical: str, *, over: float = 0.0, under: float = 1.0) -> None:
    """Waits until the curve of a chemical ends above `over` and below `under`."""
    await page.wait_for_function(
        f"([name, over, under]) => {{ const last = {_SERIES}?.at(-1); return last && last[1] > over && last[1] < under; }}",
        arg=[chemical, over, under],
    )


async def newest(page: Page) -> int:
    """The version of the session in the newest moment that a page was told of."""
    version: int = await page.evaluate(f"() => {_CURVES}.past.last.version")
    return version


async def marked(page: Page, events: int) -> None:
    """Waits until at least so many events are marked above the curves."""
    await page.wait_for_function(f"([name, least]) => {_SERIES}?.length >= least", arg=["events", events])


async def passed(page: Page, seconds: float) -> None:
    """Waits until the curves have been told of the time so many seconds after the last event."""
    await page.wait_for_function(
        f"(least) => {{ const past = {_CURVES}?.past; return past?.last?.time - past?.marks.at(-1)?.time >= least; }}",
        arg=1000 * seconds,
    )
