"""Who gets to the page through a real browser: another site, another name for this machine, a visitor with a token or none."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from accessibility import faint, unnamed
from browser import chromium, opened, wanted
from loopback import service
from playwright.async_api import expect
from web_process import web_process
from web_reading import felt

from emotional_ai import Client

pytestmark = wanted
TOKEN: Final = "open-sesame-open-sesame"
REFUSED: Final = ("403", "blocked", "WebSocket", "Content Security Policy", "X-Frame-Options", "ERR_", "CORS")
"""What a browser writes on its console of requests that are refused."""
ATTEMPTS: Final = """
async (page) => {
    const body = JSON.stringify({ session_id: "default", stimuli: [{ event: { threat: 1 } }] });
    const rpc = page + "/emotional_ai.v1.EmotionEngine/ApplyStimuli";
    const asked = (url, how) => fetch(url, how).then(() => "answered", () => "refused");
    const done = (of, good, bad) => new Promise((resolve) => {
        of.addEventListener(good, () => resolve("answered"));
        of.addEventListener(bad, () => resolve("refused"));
    });
    const socket = done(
        new WebSocket(page.replace("http", "ws") + "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"), "open", "error");
    const script = Object.assign(document.createElement("script"), { src: page + "/assets/early.js" });
    const loaded = done(script, "load", "error");
    const frame = Object.assign(document.createElement("iframe"), { src: page + "/s/default" });
    const framed = done(frame, "load", "error");
    document.body.append(script, frame);
    await framed;
    return {
        read: await asked(page + "/s/default"),
        written: await asked(rpc, { method: "POST", headers: { "content-type": "application/json" }, body }),
        posted: await asked(rpc, { method: "POST", mode: "no-cors", headers: { "content-type": "text/plain" }, body }),
        opened: await socket,
        loaded: await loaded,
    };
}
"""


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><link rel=icon href=data:,><body>")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def another_site() -> Iterator[str]:
    """A site beside the page, of another name."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_another_site_reads_nothing_writes_nothing_and_frames_nothing(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log") as web, another_site() as site:
        async with chromium() as browser:
            async with opened(browser, web.url, tmp_path) as tab:
                await expect(felt(tab.page)).to_have_text("neutral")
            async with opened(browser, site, tmp_path, forgiven=REFUSED) as tab:
                came = await tab.page.evaluate(ATTEMPTS, web.url)
                assert [frame.url for frame in tab.page.frames[1:]] == ["chrome-error://chromewebdata/"]
        assert came == dict.fromkeys(("read", "written", "posted", "opened", "loaded"), "refused")
        with Client(target) as client:
            assert client.state("default").chemistry.cortisol == 0.3
            assert [entry.WhichOneof("effect") for entry in client.history("default").entries] == ["created"]


async def test_another_name_for_this_machine_opens_nothing_unless_it_was_allowed(tmp_path: Path) -> None:
    rules = "--host-resolver-rules=MAP * 127.0.0.1"
    with (
        service() as target,
        web_process(target, tmp_path / "one") as strict,
        web_process(target, tmp_path / "two", "--allow-host", "mood.example", "--token", TOKEN) as lenient,
    ):
        async with chromium(rules) as browser:
            for web, host, status in ((strict, "mood.example", 421), (lenient, "mood.example", 200)):
                page = await browser.new_page()
                answer = await page.goto(web.session("default").replace("127.0.0.1", host) + f"?token={TOKEN}")
                assert answer is not None
                assert answer.status == status
                if status == 200:
                    await expect(felt(page)).to_have_text("neutral")
                else:
                    await expect(page.locator("body")).to_contain_text("--allow-host")
                await page.close()


async def test_a_page_with_a_token_asks_for_it_and_then_works(tmp_path: Path) -> None:
    with service() as target, web_process(target, tmp_path / "log", "--token", "open-sesame") as web:
        async with chromium() as browser, opened(browser, web.session("default"), tmp_path, forgiven=("401",)) as tab:
            await expect(tab.page.get_by_label("Token")).to_be_focused()
            assert await unnamed(tab.page) == []
            for colours in ("light", "dark"):
                await tab.page.emulate_media(color_scheme=colours)
                assert await faint(tab.page) == [], colours
            await tab.page.keyboard.type("guess")
            await tab.page.keyboard.press("Enter")
            await expect(tab.page.get_by_role("alert")).to_have_text("That is not the token.")
            await tab.page.get_by_label("Token").fill("open-sesame")
            await tab.page.get_by_role("button", name="Open").click()
            await expect(tab.page).to_have_url(web.session("default"))
            await expect(felt(tab.page)).to_have_text("neutral")
            await tab.page.reload()
            await expect(felt(tab.page)).to_have_text("neutral")
            assert await tab.page.evaluate("document.cookie") == ""
