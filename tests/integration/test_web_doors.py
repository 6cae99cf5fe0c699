"""The doors on the page's own address, at its end."""

from pathlib import Path

import httpx
from loopback import PATIENCE, service
from scripted_speech import Script, scripted_service
from web_process import web_process

from emotional_ai import Client

WATCH = "/emotional_ai.v1.EmotionEngine/WatchState"


def test_who_follows_a_state_is_told_when_the_page_ends(tmp_path: Path) -> None:
    with service() as address, Client(address) as client, web_process(address, tmp_path / "log") as web:
        client.create_session("ada")
        with httpx.stream("POST", web.url + WATCH, json={"sessionId": "ada"}, timeout=PATIENCE) as response:
            lines = response.iter_lines()
            next(lines)
            web.process.terminate()
            (last,) = lines
        assert web.process.wait(PATIENCE) == 0
        assert "try again when it is back" in last
        assert web.complaints() == ""


def test_who_hears_a_reply_is_told_when_the_page_ends(tmp_path: Path) -> None:
    asked = {"model": "emotional", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    with (
        scripted_service(Script(pause_after=1)) as address,
        web_process(address, tmp_path / "log") as web,
        httpx.stream("POST", web.url + "/v1/chat/completions", json=asked, timeout=PATIENCE) as response,
    ):
        lines = response.iter_lines()
        next(lines)
        web.process.terminate()
        *_, last = (line for line in lines if line)
        assert web.process.wait(PATIENCE) == 0
        assert "client was closed" in last
        assert web.complaints() == ""
