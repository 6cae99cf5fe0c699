"""A browser that does not read what the page sends it, while others do."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from browser import chromium, opened, wanted
from loopback import service
from playwright.async_api import expect
from web_process import web_process
from web_reading import felt, marked, moved

from emotional_ai import AsyncClient, Signals, Stimulus

pytestmark = wanted

SMALL: Final = 4096
"""Bytes on their way to the browser that its machine keeps for it."""


class Wire:
    """Carries bytes between browsers and the page; what the page sends is left unread while `read` is not set."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.read = asyncio.Event()
        self.read.set()
        self.left = 0
        """Connections on which something was left unread."""

    async def carry(self, browser: asyncio.StreamReader, to_browser: asyncio.StreamWriter) -> None:
        """One connection, until either side hangs up."""
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", self._port))
        page, to_page = await asyncio.open_connection(sock=line, limit=SMALL)
        ways = [self._carry(browser, to_page), self._carry_slowly(page, to_browser)]
        with suppress(ConnectionError):
            await asyncio.gather(*ways)
        for writer in (to_page, to_browser):
            writer.close()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(SMALL):
            target.write(data)
            await target.drain()
        target.close()

    async def _carry_slowly(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(SMALL):
            self.left += not self.read.is_set()
            await self.read.wait()
            target.write(data)
            await target.drain()
        target.close()


@asynccontextmanager
async def wired(url: str) -> AsyncIterator[tuple[str, Wire]]:
    """The address of a page as it is reached over a wire."""
    wire = Wire(urlsplit(url).port or 0)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", wire
    finally:
        server.close()


async def test_a_browser_that_reads_nothing_holds_nobody_up_and_shows_the_latest_once_it_reads(tmp_path: Path) -> None:
    something = Stimulus(event=Signals(novelty=0.01), note="a note " * 36)
    with service() as target, web_process(target, tmp_path / "log") as web:
        async with (
            wired(web.url) as (url, wire),
            AsyncClient(target) as client,
            chromium() as browser,
            opened(browser, f"{url}/s/default", tmp_path) as still,
            opened(browser, web.session("default"), tmp_path) as tab,
        ):
            for one in (still, tab):
                await expect(felt(one.page)).to_have_text("neutral")
            wire.read.clear()
            for number in range(1, 201):
                await client.apply_stimuli("default", [something] * 5)
                if number % 50 == 0:
                    await marked(tab.page, min(number * 5, 1000))
            await client.apply("default", threat=1.0)
            await moved(tab.page, "cortisol", over=0.5)
            assert wire.left >= 1
            await moved(still.page, "cortisol", under=0.31)
            wire.read.set()
            await moved(still.page, "cortisol", over=0.5)
        assert web.complaints() == ""
