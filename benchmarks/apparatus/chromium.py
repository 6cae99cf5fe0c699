"""A real Chromium, headless, with pages of a session open in it: what is measured is what a visitor waits for."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, Page, ViewportSize, sync_playwright

SIZE: Final = ViewportSize(width=1280, height=900)
_LIVE: Final = "getElement(document.querySelector('.live').id.slice(1))"
"""The panel `live`, by the id NiceGUI gave it."""
_FILLED: Final = (
    f"() => document.querySelector('.live') && {_LIVE}.filled && document.querySelector('[data-signal=reward]')"
)
_CLICKED: Final = f"""
(signal) => new Promise((resolve) => {{
    const live = {_LIVE}, before = live.past.last.version, curve = () => live.pictures[0].chart.getOption().series[0].data;
    const begun = performance.now();
    document.querySelector(`[data-signal=${{signal}}]`).click();
    requestAnimationFrame(function frame() {{
        const moved = live.past.last.version > before && curve().at(-1)[1] === live.past.last.levels.dopamine;
        moved ? resolve(performance.now() - begun) : requestAnimationFrame(frame);
    }});
}})
"""
_COUNTING: Final = f"""
() => {{
    const past = {_LIVE}.past, add = past.add;
    window.told = 0;
    past.add = (point) => {{ window.told += 1; add.call(past, point); }};
}}
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser: the one EMOTIONAL_AI_CHROMIUM names, else the one on PATH. Ends the program where there is none."""
    program = shutil.which(os.environ.get("EMOTIONAL_AI_CHROMIUM", "chromium"))
    if program is None:
        raise SystemExit("there is no chromium here: sh tests/browser/install.sh sees to one")
    with sync_playwright() as playwright:
        # Fifty pages share a few processes, as the tabs of one site do.
        browser = playwright.chromium.launch(executable_path=program, args=["--renderer-process-limit=4"])
        try:
            yield browser
        finally:
            browser.close()


def usable(page: Page) -> None:
    """Waits until a page shows its session and could be used."""
    page.wait_for_function(_FILLED)


def clicked(page: Page, signal: str) -> float:
    """Presses the button of a signal; milliseconds until the curve of dopamine has been drawn with what it did."""
    taken: float = page.evaluate(_CLICKED, signal)
    return taken


def count(page: Page) -> None:
    """Begins to count what a page is told."""
    page.evaluate(_COUNTING)


def told(page: Page) -> int:
    """How often it has been told of a moment since."""
    moments: int = page.evaluate("window.told")
    return moments


def metered(page: Page) -> CDPSession:
    """The meter of a page's main thread, from now on."""
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable")
    return meter


def busy_seconds(meter: CDPSession) -> float:
    """How long the main thread has worked since it is metered."""
    metrics: list[dict[str, Any]] = meter.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))
