"""The page beside a conversation: it is there as long as the conversation, and what keeps it away is said with what to do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from loopback import PATIENCE

from emotional_ai_service import page_beside

SAID = "the page: "


@contextmanager
def conversation(*flags: str) -> Iterator["subprocess.Popen[str]"]:
    """`emotional-ai run` over a pipe that stays open."""
    command = [sys.executable, "-m", "emotional_ai", "run", "--engine-only", "--store", "memory", "--port", "0", *flags]
    # NiceGUI looks whether it runs inside a test, and serves otherwise there.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=plain
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def address(process: "subprocess.Popen[str]") -> str:
    """Where the page is, as the conversation says it."""
    assert process.stderr is not None
    return next(line for line in process.stderr if line.startswith(SAID)).removeprefix(SAID).strip()


def test_the_page_is_served_as_long_as_the_conversation() -> None:
    with conversation("--web-port", "0", "--session", "ada") as process:
        page = address(process)
        answer = httpx.get(page, follow_redirects=True, timeout=PATIENCE)
        assert (answer.status_code, answer.url.path) == (200, "/s/ada")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(page, timeout=PATIENCE)


def test_a_page_that_lacks_what_it_is_made_with_names_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page_beside.missing() is None
    monkeypatch.setattr(page_beside, "NEEDED", ("nicegui", "nowhere_to_be_found"))
    why = page_beside.missing()
    assert why is not None
    assert "no page: it needs nowhere_to_be_found" in why
    assert "pip install 'emotional-ai[web]'" in why
    assert "--no-web" in why
