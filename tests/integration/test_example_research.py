"""The example for researchers, in a process of its own against a real service."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import PATIENCE, service

from emotional_ai import Client, Signals
from emotional_ai.v1.engine_pb2 import SimulatedEvent

EXAMPLE = Path(__file__).parents[2] / "examples" / "research_sweep.py"
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


def research(address: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments],
        env=os.environ | {"EMOTIONAL_AI_TARGET": address},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_signals_are_swept_and_a_day_is_read_into_arrays(address: str, tmp_path: Path) -> None:
    ran = research(address, str(tmp_path))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "12 x 11 x 121" in ran.stdout
    assert "history: 481 moments, 4 chemicals, 5 log entries" in ran.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day.png", "sweep.png"]
    assert all(path.read_bytes().startswith(PNG) for path in tmp_path.iterdir())
    with Client(address) as client:
        told = re.search(r"threat +(\S+) at once, (\S+) an hour later", ran.stdout)
        start, hour = client.simulate([0, 60], events=[SimulatedEvent(signals=Signals(threat=1))])
        assert told is not None
        assert float(told[1]) == pytest.approx(start.chemistry.cortisol - 0.3, abs=6e-4)
        assert float(told[2]) == pytest.approx(hour.chemistry.cortisol - 0.3, abs=6e-4)
        assert not list(client.list_sessions())


def test_without_the_quarrel_the_day_would_have_had_less_stress(address: str, tmp_path: Path) -> None:
    ran = research(address, str(tmp_path))
    told = re.search(r"cortisol +(\S+) on average, \S+ spread, (\S+) without the quarrel", ran.stdout)
    assert told is not None
    assert float(told[1]) > float(told[2])


def test_a_folder_that_is_none_is_named(address: str, tmp_path: Path) -> None:
    ran = research(address, str(tmp_path / "nowhere"))
    assert ran.returncode == 1
    assert "nowhere is no folder" in ran.stderr
