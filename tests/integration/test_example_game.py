"""The innkeeper of a game, in a process of its own: against a script, and against the real model."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import PATIENCE, service
from ports import free_port
from scripted_speech import Script, scripted_service

from emotional_ai import Client
from emotional_ai_service.settings import LanguageSettings, Settings, StoreKind, StoreSettings
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir

EXAMPLE = Path(__file__).parents[2] / "examples" / "game_character.py"


def played(address: str, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(EXAMPLE), "--target", address, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    with scripted_service(script) as address:
        yield address


@pytest.fixture(scope="module")
def spoken() -> Iterator[str]:
    """A service that speaks with the real model."""
    cache = cache_dir(os.environ)
    language = LanguageSettings(
        model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache, threads=1
    )
    with service(Settings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language)) as address:
        yield address


def test_an_evening_moves_her_and_ends_by_itself(address: str, script: Script) -> None:
    ran = played(address, "--seed", "100")
    assert (ran.returncode, ran.stderr) == (0, "")
    valences = list(map(float, re.findall(r"valence ([+-]\d\.\d\d)", ran.stdout)))
    assert len(valences) == 6
    assert valences[1] > 0 > valences[3]
    assert "The cash box is gone." in ran.stdout
    assert ran.stdout.count("Marta: I am here for you.") == 6
    assert [asked.sampling.seed for asked in script.generated] == list(range(101, 107))
    assert "Marta, the innkeeper" in script.generated[0].messages[0].content
    with Client(address) as client:
        assert not list(client.list_sessions())


def test_her_mood_sets_her_prices(address: str) -> None:
    ran = played(address, "--events", "-", stdin="tip\nbrawl\n")
    happy, afraid = re.findall(r"; (.*)\]", ran.stdout)
    assert 1 <= int(re.sub(r"\D", "", happy)) < 10
    assert afraid == "no rooms tonight"


def test_events_are_read_from_standard_input_and_unknown_ones_are_told(address: str, script: Script) -> None:
    script.pieces = ("Oh \x1b[31m", "no.\n")
    ran = played(address, "--events", "-", stdin="\nsong\ndragon\x1b\n  theft  \n")
    assert ran.returncode == 0
    assert "A bard begins to play." in ran.stdout
    assert "Nobody knows what 'dragon ' is; there are tip, song, thanks, theft, brawl, quiet." in ran.stdout
    assert "The cash box is gone." in ran.stdout
    assert "\x1b" not in ran.stdout


def test_the_same_seed_plays_the_same_evening(spoken: str) -> None:
    evenings = [played(spoken, "--seed", seed, "--events", "-", stdin="song\nbrawl\n") for seed in ("3", "3", "4")]
    first, again, other = (ran.stdout for ran in evenings)
    assert [ran.returncode for ran in evenings] == [0, 0, 0]
    assert first == again != other
    assert len(re.findall(r"Marta: \S+", first)) == 2


def test_without_a_service_it_says_how_to_start_one() -> None:
    port = free_port()
    ran = played(f"127.0.0.1:{port}")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"emotional-ai serve --port {port}" in ran.stderr


def test_a_service_without_a_model_is_told_as_it_says() -> None:
    with service() as silent:
        ran = played(silent, "--events", "-", stdin="tip\n")
        assert ran.returncode == 1
        assert ran.stderr.startswith("error: ")
        with Client(silent) as client:
            assert not list(client.list_sessions())
