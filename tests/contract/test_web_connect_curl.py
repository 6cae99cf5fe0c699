"""The lines a README shows, typed in a shell: curl needs nothing of ours to move a state, follow it and talk to it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import service
from scripted_speech import Script, scripted_service
from web_doors import doors

from emotional_ai import Client

SHOWN = """
    $ API=http://127.0.0.1:8080/emotional_ai.v1
    $ curl --json '{"sessionId": "ada"}' $API.EmotionEngine/CreateSession
    $ curl --json '{"sessionId": "ada", "stimuli": [{"event": {"reward": 0.8}}]}' $API.EmotionEngine/ApplyStimuli
    $ curl --json '{"sessionId": "ada"}' $API.EmotionEngine/Explain
    $ curl -N --json '{"sessionId": "ada", "text": "I lost my job today"}' $API.Inference/Converse   # a line an event
    $ curl -N --json '{"sessionId": "ada", "intervalMs": 1000}' $API.EmotionEngine/WatchState        # a line a state
"""
README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
LINES = [line.removeprefix("    $ ") for line in SHOWN.strip("\n").splitlines()]

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (apt install curl)")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with scripted_service(Script()) as address, doors(address) as url:
        yield url


@pytest.fixture(scope="module")
def typed(url: str) -> dict[str, list[dict[str, object]]]:
    """What each line prints, by the rpc it calls; of a line that has no end, what it prints at first."""
    begins = LINES[0].replace("http://127.0.0.1:8080", url)
    return {line.split("/")[-1].split()[0]: printed(f"{begins}\n{line}") for line in LINES[1:]}


def printed(script: str) -> list[dict[str, object]]:
    """The first lines that a script prints: one of a watch, which has no end, else six at most."""
    few = range(1 if "Watch" in script else 6)
    with subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as shell:
        assert shell.stdout is not None
        try:
            return [json.loads(line) for _, line in zip(few, shell.stdout, strict=False)]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)


def test_the_readme_shows_these_lines() -> None:
    assert SHOWN in README


def test_the_lines_make_a_session_and_move_it(typed: dict[str, list[dict[str, object]]]) -> None:
    (made,) = typed["CreateSession"]
    assert made["session"]["sessionId"] == "ada"
    (moved,) = typed["ApplyStimuli"]
    assert moved["state"]["chemistry"]["dopamine"] > 0.6


def test_the_lines_explain_the_state(typed: dict[str, list[dict[str, object]]]) -> None:
    (why,) = typed["Explain"]
    assert [part["signal"] for part in why["signals"]] == ["SIGNAL_REWARD"]


def test_the_lines_talk_and_watch(typed: dict[str, list[dict[str, object]]]) -> None:
    events = [next(iter(event)) for event in typed["Converse"]]
    assert events == ["appraisal", "started", "text", "text", "text", "finished"]
    (state,) = typed["WatchState"]
    assert state["state"]["version"] == "3"


def test_what_curl_sends_by_itself_is_refused_with_what_to_type(url: str) -> None:
    (refused,) = printed(f"curl -d '{{}}' {url}/emotional_ai.v1.EmotionEngine/GetState")
    assert re.search(r"application/x-www-form-urlencoded is not taken; .*--json", refused["message"])


def test_a_stream_of_requests_can_be_piped_in() -> None:
    asked = ('{"open": {"sessionId": "ada"}}', '{"batch": {"number": 1, "stimuli": [{"event": {"threat": 0.4}}]}}')
    piped = "".join(f"{line}\\n" for line in asked)
    with service() as address, doors(address) as url, Client(address) as client:
        client.create_session("ada")
        path = f"{url}/emotional_ai.v1.EmotionEngine/StreamState"
        states = printed(f"printf '{piped}' | curl -N -T - -X POST -H 'content-type: application/x-ndjson' {path}")
    assert states[0]["sequence"] == "1"
    assert states[-1]["acknowledgedBatch"] == "1"
