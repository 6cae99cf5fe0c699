"""A simulated week on one replica: memory and file descriptors stay flat, and every state is the replay of its log.

Some seconds long as one test among others; `make soak SOAK=minutes` makes the same week longer.
"""

import gc
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil
import pytest
from loopback import hosted
from observed_service import speaking_settings
from simulated_week import WEEK_US, JumpingClock, Week
from tiny_jobs import SUPPORT, TARGET, script

from emotional_ai import Client
from emotional_ai_service.observing import ObservingSettings

SHORT_SECONDS = 10.0
JOBS, ROUNDS = 7, 9
"""The fewest a week must have to show anything, however little the machine does in its seconds."""
GROWTH = 12 << 20
"""Bytes by which resident memory may differ between two quarters of the week: what pages and caches do by chance."""
PER_HOUR = 2_048
"""Bytes by which it may grow with each round beyond that: the logs of those who live all week are in a file."""
MOMENTARY = 4
"""Descriptors that are open only for the moment, such as the pipes of a job that ends. One that is lost in each round is more:
between the quarters that are compared there are at least five rounds."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the service, and this test beside it, hold at one time."""

    resident: int
    children: int
    """Resident memory of the decoder's process."""
    descriptors: int


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """How long the week takes."""
    minutes: float = request.config.getoption("--soak-minutes")
    return minutes * 60 or SHORT_SECONDS


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def client(tmp_path: Path, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Of a service in this process that speaks, trains, and keeps its sessions in a file."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    settings = speaking_settings(tmp_path, ObservingSettings())
    settings = replace(settings, live_sessions=8, jobs=replace(settings.jobs, target=TARGET))
    with hosted(settings, clock) as running, Client(running.address) as client:
        yield client


def sample() -> Sample:
    gc.collect()
    own = psutil.Process()
    children = 0
    for child in own.children():
        with suppress(psutil.NoSuchProcess):  # a job's may end meanwhile
            children += child.memory_info().rss
    return Sample(own.memory_info().rss, children, own.num_fds())


def lived(week: Week, seconds: float) -> list[Sample]:
    """A sample after each round of a week that takes so long."""
    begun, samples = time.monotonic(), list[Sample]()
    week.begin()
    while (passed := (time.monotonic() - begun) / seconds) < 1 or week.jobs < JOBS or len(samples) < ROUNDS:
        week.clock.jump_to(int(min(passed, 1) * WEEK_US))
        week.hour()
        samples.append(sample())
    week.clock.jump_to(WEEK_US)
    return samples


def test_a_week_leaves_nothing_behind_and_every_state_is_the_replay_of_its_log(
    client: Client, clock: JumpingClock, tmp_path: Path, seconds: float
) -> None:
    week = Week(client, clock, script(tmp_path / "script", steps=1), random.Random(1))
    samples = lived(week, seconds)
    week.check_everything()
    assert week.jobs >= JOBS
    assert week.replies == len(samples) >= ROUNDS
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    for grown in (
        median(one.resident for one in last) - median(one.resident for one in second),
        median(one.children for one in last) - median(one.children for one in second),
    ):
        assert grown < GROWTH + PER_HOUR * len(samples)
    assert max(one.descriptors for one in last) <= max(one.descriptors for one in second) + MOMENTARY
