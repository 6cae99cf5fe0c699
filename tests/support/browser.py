"""A real Chromium for tests of the web page, headless, driven by Playwright.

    async with chromium() as browser, opened(browser, url, tmp_path) as tab: ...

wanted      marks tests that need it: they are skipped where there is none
chromium    a browser that resolves no name but this machine's
opened      a tab of its own (cookies, storage), its console, errors and requests kept; fails with a picture and a trace

A tab that saw an exception, an error on its console, or a request to another machine fails its test at the end.
"""

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from loopback import PATIENCE
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, async_playwright, expect

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
HERE: Final = frozenset({"127.0.0.1", "localhost"})
"""Hosts of this machine."""
LOCAL_SCHEMES: Final = frozenset({"data", "blob", "about"})
"""What is addressed so lies in the page itself."""
NOTHING_BEYOND: Final = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
QUIET: Final = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
DESK: Final = (1280, 900)
PHONE: Final = (390, 844)
MILLISECONDS: Final = 1000


def found(environment: Mapping[str, str] = os.environ) -> str | None:
    """The program: the one EMOTIONAL_AI_CHROMIUM names, else one on PATH."""
    named = environment.get("EMOTIONAL_AI_CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


wanted = pytest.mark.skipif(found() is None, reason="there is no chromium on PATH: make browser installs and uses one")


@dataclass(slots=True)
class Tab:
    """An open page, and what it did that nobody sees."""

    page: Page
    requests: list[str] = field(default_factory=list)
    """Every address it asked for, websockets included."""
    errors: list[str] = field(default_factory=list)
    """Exceptions nobody caught, and errors on its console."""
    forgiven: tuple[str, ...] = ()
    """Parts of errors that the test brings about itself."""

    def strangers(self) -> list[str]:
        """Requests to other machines."""
        parts = ((url, urlsplit(url)) for url in self.requests)
        return [url for url, of in parts if of.scheme not in LOCAL_SCHEMES and of.hostname not in HERE]

    def complaints(self) -> list[str]:
        """Errors that the test did not bring about."""
        return [error for error in self.errors if not any(part in error for part in self.forgiven)]


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """A browser that reaches nothing beyond this machine."""
    program = found()
    assert program is not None
    expect.set_options(timeout=PATIENCE / 2 * MILLISECONDS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[NOTHING_BEYOND, *QUIET, *flags])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(
    browser: Browser,
    url: str,
    keep: Path,
    *,
    size: tuple[int, int] = DESK,
    forgiven: tuple[str, ...] = (),
    context: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[Tab]:
    """A tab at `url`; where the block fails, a picture and a trace of it are kept in `keep`. `context` goes to Playwright."""
    width, height = size
    own = await browser.new_context(viewport={"width": width, "height": height}, **context)
    own.set_default_timeout(PATIENCE / 2 * MILLISECONDS)
    await own.tracing.start(screenshots=False, snapshots=True)
    try:
        tab = _watched(await own.new_page(), forgiven)
        try:
            await tab.page.goto(url)
            yield tab
            assert tab.complaints() == []
            assert tab.strangers() == []
        except BaseException:
            # A browser that has died has nothing to show.
            with suppress(Error):
                await tab.page.screenshot(path=keep / f"failed-{id(tab)}.png")
                await own.tracing.stop(path=keep / f"failed-{id(tab)}.zip")
            raise
    finally:
        await own.close()


def _watched(page: Page, forgiven: tuple[str, ...]) -> Tab:
    tab = Tab(page, forgiven=forgiven)

    def asked(request: Request) -> None:
        tab.requests.append(request.url)

    def written(message: ConsoleMessage) -> None:
        if message.type == "error":
            tab.errors.append(message.text)

    page.on("request", asked)
    page.on("websocket", lambda socket: tab.requests.append(socket.url))
    page.on("pageerror", lambda error: tab.errors.append(str(error)))
    page.on("console", written)
    return tab
