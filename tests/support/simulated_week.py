"""A week of many lives on one service, whose clock jumps: sessions come and go, streams, watches, replies, training jobs.

    week = Week(client, clock, script, random.Random(1))
    while not week.over:
        week.hour()
        clock.jump(...)
    week.check_everything()

Whatever was acknowledged is kept here; at the end each session that is left must be the replay of its log.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lives import replayed, same
from loopback import PATIENCE
from wire_client import event

from emotional_ai import Client, JobStatus, Recipe, Sampling, TrainingConfig
from emotional_ai.v1 import engine_pb2 as pb

WEEK_US: Final = 7 * 24 * 3_600 * 1_000_000
DAY_US: Final = WEEK_US // 7
SIGNALS: Final = ("reward", "novelty", "praise", "threat", "loss", "conflict", "boredom")
KINDS: Final = (
    pb.DynamicsConfig(),
    pb.DynamicsConfig(mood=pb.MoodConfig()),
    pb.DynamicsConfig(habituation=pb.HabituationConfig(), time_scale=1.0),
    pb.DynamicsConfig(circadian=pb.CircadianConfig(), time_scale=1.0),
)
OLD: Final = ("ada", "grace", "mary", "lise")
"""Sessions that live all week, one of each kind."""
STAY: Final = 12
"""Sessions beside them at a time."""


class JumpingClock:
    """Wall microseconds since the epoch, and what it was put forward by."""

    def __init__(self) -> None:
        self._ahead_us = 0

    def __call__(self) -> int:
        return time.time_ns() // 1000 + self._ahead_us

    @property
    def ahead_us(self) -> int:
        """What it was put forward by, in microseconds."""
        return self._ahead_us

    def jump_to(self, ahead_us: int) -> None:
        """Puts it forward, never back."""
        self._ahead_us = max(self._ahead_us, ahead_us)


@dataclass(slots=True)
class Week:
    """What clients do to a service, and what they know of it."""

    client: Client
    clock: JumpingClock
    script: Path
    """Of the training jobs."""
    draw: random.Random
    versions: dict[str, int] = field(default_factory=dict)
    """The version each session that is there must have, oldest first."""
    made: int = 0
    stimuli: int = 0
    replies: int = 0
    jobs: int = 0

    def begin(self) -> None:
        """Makes those who live all week."""
        for name, kind in zip(OLD, KINDS, strict=True):
            self._make(name, kind)

    def hour(self) -> None:
        """Some sessions come, some go, everything happens once."""
        for _ in range(3):
            name = f"guest-{self.made}"
            self._make(name, self.draw.choice(KINDS))
            self._write(name, 8)
        self._stream(self.draw.choice(OLD), 12)
        self._watch(self.draw.choice(list(self.versions)))
        self._speak(self.draw.choice(list(self.versions)))
        if self.jobs <= self.clock.ahead_us // DAY_US:
            self._train()
        for name in self._leaving():
            self.check(name)
            self.client.delete_session(name)
            del self.versions[name]

    def check(self, name: str) -> None:
        """Whether a session is what was acknowledged, and the replay of its log."""
        log = self.client.export_session(name).entries
        assert len(log) == self.versions[name]
        state = self.client.state(name, timeout=PATIENCE)
        assert same(state, replayed(log)[-1].at(state.time.ToMicroseconds()))

    def check_everything(self) -> None:
        """Every session that is there, and that no other is."""
        assert {one.session_id for one in self.client.list_sessions()} == set(self.versions)
        for name in self.versions:
            self.check(name)

    def _make(self, name: str, kind: pb.DynamicsConfig) -> None:
        self.client.create_session(name, config=pb.SessionConfig(dynamics=kind))
        self.versions[name] = 1
        self.made += 1

    def _write(self, name: str, count: int) -> None:
        for number in range(count):
            request = f"r{number}"
            answers = [self.client.apply_stimuli(name, [self._stimulus()], request_id=request) for _ in range(2)]
            assert [answer.duplicate for answer in answers] == [False, True]  # Whoever is unsure sends it again.
        self._told(name, count)

    def _stream(self, name: str, count: int) -> None:
        with self.client.stream(name) as stream:
            for _ in range(count):
                stream.send(**self._signals())
            stream.flush(PATIENCE)
        self._told(name, count)

    def _watch(self, name: str) -> None:
        with self.client.watch(name) as watch:
            states = iter(watch)
            assert next(states).version == self.versions[name]
            self.client.apply(name, **self._signals())
            self._told(name, 1)
            while next(states).version != self.versions[name]:
                pass

    def _speak(self, name: str) -> None:
        with self.client.generate("the sea", under=name, sampling=Sampling(seed=1, max_tokens=8)) as reply:
            assert reply.read() is not None
        self.replies += 1

    def _train(self) -> None:
        job = self.client.train(Recipe.RECIPE_ALL, config=TrainingConfig(data_path=str(self.script)))
        assert job.result(PATIENCE).status is JobStatus.JOB_STATUS_SUCCEEDED
        self.jobs += 1

    def _leaving(self) -> Sequence[str]:
        guests = [name for name in self.versions if name not in OLD]
        return guests[: max(0, len(guests) - STAY)]

    def _told(self, name: str, count: int) -> None:
        self.versions[name] += count
        self.stimuli += count

    def _stimulus(self) -> pb.Stimulus:
        return event(**self._signals())

    def _signals(self) -> dict[str, float]:
        return {self.draw.choice(SIGNALS): round(self.draw.random(), 3)}
