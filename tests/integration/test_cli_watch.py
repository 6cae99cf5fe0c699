"""`watch` at a terminal of its own, against a real service."""

import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from keyboard import Keyboard, keyboard
from loopback import PATIENCE, hosted, in_file, service

from emotional_ai import Client
from emotional_ai_service.server import wall_clock

NUMBERS = count(1)
WHOLE_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"
CURSOR = "\x1b[?25h"
COLOUR = re.compile(r"\x1b\[[0-9;]*\b[34]8;[25];")
MARKS = "●■▲◆"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


@pytest.fixture
def name(client: Client) -> str:
    return client.create_session(f"watched-{next(NUMBERS)}").session_id


def given_back(typist: Keyboard) -> bool:
    """Whether the terminal is as it was: its own screen, its cursor, its echo."""
    shown = typist.shown
    return (
        shown.rindex(BACK) > shown.rindex(WHOLE_SCREEN)
        and CURSOR in shown
        and typist.settings == typist.settings_before
    )


def test_a_session_is_drawn_as_it_goes(address: str, client: Client, name: str) -> None:
    with keyboard("--target", address, "watch", name) as typist:
        typist.says(f"{name}   neutral, confidence 0.")
        for shown in ("● dopamine   0.50", "■ serotonin", "▲ cortisol", "◆ oxytocin", "-3 min", "UTC", "balanced"):
            typist.says(shown)
        client.apply(name, threat=1.0, uncertainty=0.5)
        typist.says("anxiety")
        typist.says("threat↑")
        typist.says("high_cortisol")
        typist.interrupts()
        assert typist.leaves() == 0
        typist.says(BACK)
        typist.says("v2  anxiety")
        assert given_back(typist)


def test_what_happened_before_is_there_at_once(address: str, client: Client, name: str) -> None:
    client.apply(name, praise=0.9)
    client.skip(name, 30)
    with keyboard("--target", address, "watch", name, "--minutes", "0.5", "--count", "1", size=(120, 30)) as typist:
        assert typist.leaves() == 0
        typist.says("+30 min")
        typist.says("-30 s")
        assert given_back(typist)


def test_without_colours_the_marks_tell_the_chemicals_apart(address: str, name: str) -> None:
    command = ("--target", address, "watch", name, "--count", "2")
    with keyboard(*command, environment={"COLORTERM": "truecolor"}) as typist:
        assert typist.leaves() == 0
        typist.says(BACK)
        assert COLOUR.search(typist.shown)
    with keyboard(*command, environment={"NO_COLOR": "1"}) as typist:
        assert typist.leaves() == 0
        typist.says(BACK)
        assert not COLOUR.search(typist.shown)
        assert all(typist.shown.count(mark) >= 2 for mark in MARKS)


def test_a_terminal_of_another_size_is_drawn_anew(address: str, name: str) -> None:
    with keyboard("--target", address, "watch", name) as typist:
        typist.says("● dopamine")
        typist.resizes(44, 12)
        typist.says("● do 0.50")
        typist.resizes(100, 30)
        typist.says("● dopamine")
        typist.interrupts()
        assert typist.leaves() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_terminal_is_given_back_whatever_ends_it(
    address: str, name: str, number: signal.Signals, status: int
) -> None:
    with keyboard("--target", address, "watch", name) as typist:
        typist.says("top_p")
        assert typist.settings != typist.settings_before
        typist.types("typed meanwhile")
        typist.sends(number)
        assert typist.leaves() == status
        typist.says(BACK)
        assert given_back(typist)
        assert "typed" not in typist.shown


def test_a_service_that_goes_away_is_said_and_its_return_noticed(tmp_path: Path) -> None:
    settings = in_file(tmp_path / "sessions.db")
    with hosted(settings) as first:
        with Client(first.address) as client:
            client.create_session("ada")
        port = int(first.address.rpartition(":")[2])
        with keyboard("--target", first.address, "watch", "ada") as typist:
            typist.says("top_p")
            first.end()
            typist.says("the service is away")
            with hosted(replace(settings, port=port)) as again, Client(again.address) as client:
                client.apply("ada", praise=1.0, social_warmth=1.0)
                typist.says("social_warmth↑")
                typist.says("Ctrl-C ends")
                typist.interrupts()
                assert typist.leaves() == 0
                assert "the service is away" not in typist.shown[typist.shown.rindex("social_warmth↑") :]


def test_a_service_that_hangs_is_away_too() -> None:
    goes_on = threading.Event()
    goes_on.set()

    def clock() -> int:
        assert goes_on.wait(PATIENCE)
        return wall_clock()

    with service(clock=clock) as hanging, Client(hanging) as client:
        client.create_session("ada")
        with keyboard("--target", hanging, "watch", "ada") as typist:
            typist.says("top_p")
            goes_on.clear()
            typist.says("the service is away")
            goes_on.set()
            typist.says("Ctrl-C ends")
            typist.interrupts()
            assert typist.leaves() == 0
            assert given_back(typist)


def test_a_session_that_is_deleted_ends_the_watch_with_a_reason(address: str, client: Client, name: str) -> None:
    with keyboard("--target", address, "watch", name) as typist:
        typist.says("top_p")
        client.delete_session(name)
        assert typist.leaves() == 1
        typist.says(BACK)
        typist.says(f"error: no session '{name}'")
        assert given_back(typist)


def test_an_unknown_session_leaves_the_terminal_alone(address: str) -> None:
    with keyboard("--target", address, "watch", "nobody") as typist:
        assert typist.leaves() == 1
        typist.says("no session 'nobody'")
        assert WHOLE_SCREEN not in typist.shown


def test_plain_lines_stay_at_a_terminal(address: str, name: str) -> None:
    with keyboard("--target", address, "watch", name, "--plain", "--count", "1") as typist:
        typist.says("v1  neutral  dopamine 0.50  serotonin 0.60")
        assert typist.leaves() == 0
        assert "\x1b" not in typist.shown


@pytest.mark.parametrize(
    ("environment", "why"),
    [({"TERM": "dumb"}, "cannot move its cursor"), ({"PYTHONIOENCODING": "latin-1"}, "encoding, iso8859-1, has no")],
)
def test_a_terminal_that_cannot_draw_gets_lines_and_a_reason(
    address: str, name: str, environment: dict[str, str], why: str
) -> None:
    with keyboard(
        "--target", address, "watch", name, "--count", "1", size=(200, 24), environment=environment
    ) as typist:
        typist.says(why)
        typist.says("v1  neutral")
        assert typist.leaves() == 0
