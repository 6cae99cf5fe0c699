"""What the web page costs whoever looks at it, and the machine that serves it, in a real Chromium.

    python benchmarks/web_page.py [--quick] [--json]

usable       from the moment the service takes calls until a session is shown and its buttons work: of a page that was started
             together with the service, and of one that has stood open, saying that there is no service
click        from the press of a signal's button until the curve has been drawn with what it did, within the page
processor    of the process that serves the page, in per cent of a core: one page told 10 times a second how a session moves,
             and many pages of a session at rest; beside it the main thread of the one page
goals        what is wanted of them
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

from apparatus import outcome
from apparatus.chromium import SIZE, busy_seconds, chromium, clicked, count, metered, told, usable
from apparatus.servers import Server, service, web
from playwright.sync_api import Browser

from emotional_ai import Client

SESSION: Final = "default"
STILL: Final = "window.setInterval = () => 0"
"""Keeps a page from drawing anew each second how long ago it all was."""
PERIOD_S: Final = 0.1
"""Between two stimuli: as often as a page is told of a session."""
USABLE_S: Final = 2.0
CLICK_MS: Final = 150.0
ONE_PAGE_PERCENT: Final = 10.0
IDLE_PAGES_PERCENT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    starts: int
    clicks: int
    seconds: float
    """Of each look at the processor."""
    pages: int
    """At rest."""


FULL: Final = Plan(starts=5, clicks=100, seconds=30, pages=50)
QUICK: Final = Plan(starts=1, clicks=20, seconds=5, pages=10)


def free() -> int:
    """A port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def serving(port: int) -> Iterator["Future[float]"]:
    """A service at a port, and the time at which it comes to take calls."""
    command = [sys.executable, "-m", "emotional_ai", "serve", "--engine-only", "--store", "memory", "--port", str(port)]
    with ThreadPoolExecutor(1) as pool, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield pool.submit(up, process)
        finally:
            process.terminate()


def up(process: "subprocess.Popen[str]") -> float:
    """Waits until a service takes calls; the time it did."""
    assert process.stdout is not None
    if not process.stdout.readline().startswith("ready "):
        raise SystemExit("the service did not start")
    return time.perf_counter()


def started_together(browser: Browser) -> float:
    """Seconds from a service that takes calls to a page that can be used, both begun at once."""
    port = free()
    with serving(port) as begun, web(f"127.0.0.1:{port}") as page:
        tab = browser.new_page(viewport=SIZE)
        tab.goto(page.address)
        usable(tab)
        seen = time.perf_counter()
        tab.close()
        return seen - begun.result()


def stood_open(browser: Browser) -> float:
    """The same of a page that was there before the service."""
    port = free()
    with web(f"127.0.0.1:{port}") as page:
        tab = browser.new_page(viewport=SIZE)
        tab.goto(page.address)
        tab.get_by_role("alert").wait_for()
        with serving(port) as begun:
            usable(tab)
            seen = time.perf_counter()
            tab.close()
            return seen - begun.result()


def starts(browser: Browser, times: int) -> list[outcome.Row]:
    """Starts of each kind, in turns."""
    both = [(started_together(browser), stood_open(browser)) for _ in range(times)]
    named = zip(("started with the service", "open before the service"), zip(*both, strict=True), strict=True)
    return [
        {"page": name, "p50_s": round(median(taken), 2), "longest_s": round(max(taken), 2)} for name, taken in named
    ]


def clicks(browser: Browser, page: Server, times: int) -> outcome.Row:
    """Presses of a signal, one after the other, every one after the last has been seen."""
    tab = browser.new_page(viewport=SIZE)
    tab.goto(page.address)
    usable(tab)
    clicked(tab, "novelty")
    taken = [clicked(tab, "reward" if number % 2 else "threat") for number in range(times)]
    tab.close()
    return {"presses": times, "p50_ms": round(median(taken), 1), "p95_ms": round(quantiles(taken, n=20)[18], 1)}


@contextmanager
def moving(target: str) -> Iterator[None]:
    """Something happens to a session ten times a second while the block lasts."""
    over = threading.Event()

    def move() -> None:
        with Client(target) as client, client.stream(SESSION) as stream:
            while not over.wait(PERIOD_S):
                stream.send(novelty=0.2)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def one_page(browser: Browser, target: str, page: Server, seconds: float) -> outcome.Row:
    """A page told of a session that moves."""
    tab = browser.new_page(viewport=SIZE)
    tab.goto(page.address)
    usable(tab)
    with moving(target):
        tab.wait_for_timeout(1000)
        count(tab)
        meter = metered(tab)
        busy = busy_seconds(meter)
        percent, wall = _percent(page, lambda: tab.wait_for_timeout(seconds * 1000))
        row: outcome.Row = {
            "pages": 1,
            "told_per_s": round(told(tab) / wall, 1),
            "percent": percent,
            "main_thread_percent": round(100 * (busy_seconds(meter) - busy) / wall, 1),
        }
    tab.close()
    return row


def idle_pages(browser: Browser, page: Server, plan: Plan) -> outcome.Row:
    """Pages of a session at rest, which one machine shows all at once: they draw no clock, and ask for what others ask for."""
    with ExitStack() as until:
        tabs = [browser.new_page(viewport=SIZE) for _ in range(plan.pages)]
        for tab in tabs:
            until.callback(tab.close)
            tab.add_init_script(STILL)
            tab.goto(f"{page.address}s/at-rest")
            usable(tab)
        tabs[0].wait_for_timeout(3000)
        count(tabs[0])
        percent, wall = _percent(page, lambda: tabs[0].wait_for_timeout(plan.seconds * 1000))
        return {"pages": plan.pages, "told_per_s": round(told(tabs[0]) / wall, 1), "percent": percent}


def _percent(page: Server, meanwhile: Callable[[], None]) -> tuple[float, float]:
    """Per cent of a core that the page's process took meanwhile, and for how many seconds."""
    used, begun = page.cpu_seconds(), time.perf_counter()
    meanwhile()
    wall = time.perf_counter() - begun
    return round(100 * (page.cpu_seconds() - used) / wall, 1), wall


def measure(plan: Plan) -> outcome.Result:
    """Everything, one after the other."""
    with chromium() as browser:
        begun = starts(browser, plan.starts)
        with service("memory", pinned=False) as server, web(server.address) as page:
            with Client(server.address) as client:
                client.create_session("at-rest")
            pressed = clicks(browser, page, plan.clicks)
            busy = one_page(browser, server.address, page, plan.seconds)
            idle = idle_pages(browser, page, plan)
    return {
        "usable": begun,
        "click": pressed,
        "processor": [busy, idle],
        "goals": [
            _goal("a page usable after the service, p50, s", begun[0]["p50_s"], USABLE_S),
            _goal("press to moved curve, p50, ms", pressed["p50_ms"], CLICK_MS),
            _goal("one page at 10 updates/s, % of a core", busy["percent"], ONE_PAGE_PERCENT),
            _goal(f"{plan.pages} idle pages, % of a core", idle["percent"], IDLE_PAGES_PERCENT),
        ],
    }


def _goal(what: str, measured: outcome.Value, wanted: float) -> outcome.Row:
    return {"what": what, "measured": measured, "at_most": wanted, "met": float(measured) <= wanted}


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
