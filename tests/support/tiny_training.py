"""Trainings of a few steps on the tiny model, and reporters that act on them at a step.

This file is also a process of its own: `python tiny_training.py MODEL WORK` trains with an embedded server in the directory
WORK, says each step on standard output, stands still at step STANDS until it is killed or its standard input ends, and ends
with the losses of all steps.
"""

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tiny_model import write_tiny_model

from emotional_ai_training.conditioning import conditioning_tokens, gloss, prototype, system_text
from emotional_ai_training.dataset import Labels, Message, News, Role, Row, Source, Split
from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.curiosity import Curiosity, explore
from emotional_ai_training.recipes.examples import ChatTokenizer, Example
from emotional_ai_training.recipes.fine_tuning import FineTuning, fine_tune
from emotional_ai_training.recipes.progress import Progress
from emotional_ai_training.recipes.rewards import Floats
from emotional_ai_training.recipes.run_directory import Finished, RunDirectory
from emotional_ai_training.tinker_api import EmbeddedServer, TinkerServer
from emotional_ai_training.tinker_server import Dtype

STAGE = "conditioning"
SETTINGS = FineTuning(learning_rate=1e-2, batch_size=2, save_every=3)
STEPS = 8
STANDS = 5
# With this seed every step has replies of different rewards. Where all are equal no gradient is left but rounding, which
# differs with what is computed together.
EXPLORING = Curiosity(steps=4, prompts=2, group=3, max_tokens=6, save_every=2, divergence_bound=50.0, seed=2)
PROMPTS = ("I saw the sea.", "The wind is cold.", "The sky!", "And you?")


class Told:
    """A reporter that keeps every step, and does something at one of them."""

    def __init__(self, at: int = 0, act: Callable[["Told"], None] | None = None) -> None:
        self.steps: list[int] = []
        self.cancelled = False
        self._at, self._act = at, act

    def report(
        self, stage: str, step: int, total_steps: int, metrics: Mapping[str, float], remaining_seconds: float
    ) -> None:
        """Keeps the step; acts once."""
        self.steps.append(step)
        if step == self._at and self._act is not None:
            act, self._act = self._act, None
            act(self)


def cancel(reporter: Told) -> None:
    """Asks the training to stop."""
    reporter.cancelled = True


class LengthJudge:
    """Scores a text by its length and places it by its letters: the same for the same text, everywhere."""

    def assess(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """As the recipe's Judge."""
        scores = np.array([len(text) % 7 / 7 for text in texts], dtype=np.float32)
        counts = np.array([np.bincount([ord(c) % 16 for c in text] or [0], minlength=16) for text in texts]) + 0.1
        return scores, (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


def tiny_examples(tokenizer: ChatTokenizer, count: int = 2 * STEPS) -> list[Example]:
    """Conversations of different lengths."""
    return [
        tokenizer.example(
            f"row-{number}",
            [
                ("system", "the sea"),
                ("user", PROMPTS[number % 4]),
                ("assistant", "the wind and the sky" * (1 + number % 3)),
            ],
        )
        for number in range(count)
    ]


def roomy_model(directory: Path) -> Path:
    """The tiny model with room for whole conversations: its tokenizer takes a token a letter."""
    write_tiny_model(directory)
    file = directory / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"max_position_embeddings": 2048}))
    return directory


def told_row(state: str, number: int, split: Split) -> Row:
    """A short row of training data."""
    levels = prototype(state)
    prefix, words = conditioning_tokens(levels), gloss(levels)
    messages = (
        Message(Role.SYSTEM, system_text("", prefix + words), train=False),
        Message(Role.USER, PROMPTS[number % 4], train=False),
        Message(Role.ASSISTANT, f"{words} and the sea", train=True),
    )
    return Row(
        id=f"{state}-{number}",
        split=split,
        state_label=state,
        neuro=levels,
        prefix=prefix,
        gloss=words,
        messages=messages,
        labels=Labels(News.NEUTRAL, "weather", replay=False),
        weight=1.0,
        reward=None,
        judge=None,
        source=Source.GRAMMAR,
        licence="MIT",
    )


def run_in(work: Path) -> RunDirectory:
    """The record of the run in `work`."""
    return RunDirectory(work / STAGE, {"stage": STAGE})


def course_on(server: TinkerServer, reporter: Told, model: Path, deadline: float = 60.0) -> Course:
    """A course of small adapters."""
    return Course(server, model.name, 2, 0, Progress(reporter, {}), deadline)


def fine_tuned(
    server: TinkerServer,
    model: Path,
    work: Path,
    reporter: Told | None = None,
    *,
    deadline: float = 60.0,
    settings: FineTuning = SETTINGS,
) -> Finished:
    """Trains to the end, going on with the run in `work`."""
    examples = tiny_examples(ChatTokenizer(model))
    course = course_on(server, reporter or Told(), model, deadline)
    return fine_tune(STAGE, settings, examples, examples[:3], None, run_in(work), course)


def explored(
    server: TinkerServer, model: Path, work: Path, start: Finished, reporter: Told | None = None, deadline: float = 60.0
) -> Finished:
    """Explores from `start` to the end, going on with the run in `work`."""
    course = course_on(server, reporter or Told(), model, deadline)
    return explore(STAGE, EXPLORING, PROMPTS, start, ChatTokenizer(model), LengthJudge(), run_in(work), course)


def numbers(work: Path, *names: str) -> list[list[float]]:
    """Those metrics of every step of the run in `work`, which has each step once and in order."""
    history = run_in(work).history()
    assert [row["step"] for row in history] == list(range(len(history)))
    return [[row[name] for name in names] for row in history]


def losses(work: Path) -> list[float]:
    """The loss of every step of the run in `work`."""
    return [loss for (loss,) in numbers(work, "loss")]


@contextmanager
def without_telemetry() -> Iterator[None]:
    """The SDK as the command runs it; what it leaves open is collected before the next tests, whose warnings are errors."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TINKER_TELEMETRY", "0")
        yield
    gc.collect()


def kill_server(state: Path) -> None:
    """kill -9 to the server that keeps its state there."""
    found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _serves(entry, state)]
    assert len(found) == 1
    os.kill(found[0], signal.SIGKILL)


def _serves(process: Path, state: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended meanwhile
        return False
    return b"emotional_ai_training.tinker_server" in words and os.fsencode(state) in words


class _Loud(Told):
    def report(
        self, stage: str, step: int, total_steps: int, metrics: Mapping[str, float], remaining_seconds: float
    ) -> None:
        sys.stdout.write(f"step {step}\n")
        sys.stdout.flush()
        if step == STANDS:
            sys.stdin.read()


def main(model: Path, work: Path) -> None:
    """Trains in a process that may be killed."""
    with EmbeddedServer(model, work / "tinker", threads=1, dtype=Dtype.FLOAT32) as server:
        fine_tuned(server, model, work, _Loud())
    sys.stdout.write(json.dumps(losses(work)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
