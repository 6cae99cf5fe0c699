"""A decoder's life compressed, in a process of its own: sessions come and go, blends move, clients leave, adapters change.

    python decoding_life.py FOLDER

prints what became of it as one JSON object. The process is its own so that nothing else grows in the memory that is measured.
"""

import gc
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import psutil
from tiny_decoding import publish_tiny_adapter
from tiny_replies import MOST_ACTIVE, Stage, ask, whole

from emotional_ai_service.decoding import (
    BlendWeight,
    Finished,
    GenerationRequest,
    KvPolicy,
    RuntimeKind,
    Sampling,
    Started,
    Text,
    Voice,
)
from emotional_ai_service.decoding.scheduler import Scheduler
from emotional_ai_service.workers.messages import Ended, Event, Raised

STEPS: Final = 5000
WARM: Final = 3000
"""Steps after which everything that grows once has grown: what the runtime keeps for lengths that seldom occur comes late."""
NAMES: Final = ("alpha", "beta", "gamma")


@dataclass(frozen=True, slots=True)
class Lived:
    """What is left of a life once nobody asks any more."""

    open: int
    """Replies without an end."""
    whole: bool
    """Whether every block is free again."""
    complete: int
    cancelled: int
    moved: int
    growth: int
    """Bytes of resident memory at the end beyond those after WARM steps."""


def lived(folder: Path) -> Lived:
    """A life that keeps its adapters in `folder`."""
    printed = subprocess.run(
        [sys.executable, __file__, str(folder)], check=True, stdout=subprocess.PIPE, text=True, timeout=110
    ).stdout
    return Lived(**json.loads(printed))


@dataclass
class Life:
    """Random requests, and what became of each."""

    scheduler: Scheduler
    draw: random.Random
    stage: Stage
    ticket: int = 0
    open: dict[int, list[object]] = field(default_factory=dict)
    complete: int = 0
    cancelled: int = 0
    moved: int = 0

    def voice(self) -> Voice:
        chosen = self.draw.sample(NAMES, self.draw.randint(0, 3))
        blend = tuple(BlendWeight(name, self.draw.uniform(-0.5, 1.0)) for name in chosen)
        return Voice(blend, self.draw.uniform(0, 1.2), 0.95)

    def request(self) -> GenerationRequest:
        voice = self.voice()
        return ask(
            self.draw.choice(("x", "y", "the sea ")) * self.draw.randint(1, 15),
            self.draw.getrandbits(64),
            Sampling(voice.temperature, 0, voice.top_p),
            self.draw.randint(1, 60),
            blend=voice.blend,
            session=f"session-{self.draw.randint(0, 9)}",
            kv_policy=self.draw.choice(list(KvPolicy)),
            logprobs=self.draw.random() < 0.3,
        )

    def act(self, step: int) -> None:
        if len(self.open) < 2 * MOST_ACTIVE and self.draw.random() < 0.5:
            self.scheduler.begin(self.ticket, self.request())
            self.open[self.ticket] = []
            self.ticket += 1
        if self.open and self.draw.random() < 0.5:
            self.scheduler.update(self.draw.choice(list(self.open)), self.voice())
            self.moved += 1
        if self.open and self.draw.random() < 0.06:
            leaving = self.draw.choice(list(self.open))
            self.scheduler.cancel(leaving)
            del self.open[leaving]
            self.cancelled += 1
        if step % 50 == 0:
            name = self.draw.choice(NAMES)
            publish_tiny_adapter(self.stage.directory, name, rank=self.draw.randint(1, 6), seed=step // 50)

    def hear(self) -> None:
        for outcome in self.scheduler.step():
            assert not isinstance(outcome, Raised), outcome.error
            if isinstance(outcome, Event):
                self.open[outcome.ticket].append(outcome.value)
            elif isinstance(outcome, Ended):
                check(self.open.pop(outcome.ticket))
                self.complete += 1


def check(said: list[object]) -> None:
    """A complete reply: it started, it finished, and its tokens are numbered without a gap."""
    assert isinstance(said[0], Started)
    assert isinstance(said[-1], Finished)
    pieces = [event for event in said if isinstance(event, Text)]
    ends = [piece.token_index + piece.token_count for piece in pieces]
    assert [piece.token_index for piece in pieces] == [0, *ends][: len(pieces)]
    assert said[-1].completion_tokens >= max(ends, default=0)


def resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def steps(life: Life, count: int) -> Iterator[int]:
    for step in range(count):
        life.act(step)
        life.hear()
        yield step


def main(folder: Path) -> Lived:
    """The life itself, seeded."""
    stage = Stage(folder)
    scheduler = stage.scheduler(RuntimeKind.OPENVINO, active=MOST_ACTIVE, blocks=40)
    life = Life(scheduler, random.Random(4), stage)
    warm = 0
    for step in steps(life, STEPS):
        if step == WARM:
            warm = resident()
    growth = resident() - warm
    for _ in range(STEPS):
        if not scheduler.busy():
            break
        life.hear()
    return Lived(len(life.open), whole(scheduler), life.complete, life.cancelled, life.moved, growth)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(main(Path(sys.argv[1])))))
