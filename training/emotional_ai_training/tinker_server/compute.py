"""The one thread that computes. Work runs in the order it came, except that sampling with the same weights goes together."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emotional_ai_training.tinker_server.engine import TOGETHER, SampleRequest, SampleResult
from emotional_ai_training.tinker_server.errors import InvalidRequest, TinkerServerError, UnknownName
from emotional_ai_training.tinker_server.names import CheckpointPath
from emotional_ai_training.tinker_server.replies import Category, Reply, failure

PARTING_SECONDS: Final = 5.0
"""How long the end waits for the work at hand."""
LINGER_SECONDS: Final = 0.01
"""Sampling waits so long for company that may be on its way."""

log = logging.getLogger(__name__)
Answered = Callable[[Reply], None]


@dataclass(frozen=True, slots=True)
class Task:
    """Anything but sampling."""

    run: Callable[[], Reply]
    answered: Answered


@dataclass(frozen=True, slots=True)
class SampleTask:
    """A prompt to sample from some weights, None for the base model's."""

    weights: CheckpointPath | None
    request: SampleRequest
    encode: Callable[[SampleResult], Reply]
    answered: Answered


Sampler = Callable[[CheckpointPath | None, Sequence[SampleRequest]], list[SampleResult]]


class Compute:
    """Owns the thread from `start` to `stop`; everything else may be called from any thread."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._work: deque[Task | SampleTask] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="compute", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more work, and returns once the work at hand is done, or leaves it behind after a while."""
        with self._changed:
            self._stopping = True
            self._work.clear()
            self._changed.notify_all()
        self._thread.join(PARTING_SECONDS)

    def submit(self, work: Task | SampleTask) -> None:
        """Queues work; its answer comes on the compute thread."""
        with self._changed:
            self._work.append(work)
            self._changed.notify_all()

    def _loop(self) -> None:
        while (work := self._next()) is not None:
            if isinstance(work, Task):
                work.answered(attempt(work.run))
            else:
                self._sample(work)

    def _next(self) -> Task | list[SampleTask] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._work or self._stopping)
            if self._stopping:
                return None
            first = self._work.popleft()
            if isinstance(first, Task):
                return first
            return self._company(first)

    def _company(self, first: SampleTask) -> list[SampleTask]:
        """`first` and what else samples from its weights, up to so many samples; waits while more of it arrives."""
        group = [first]
        while True:
            rest: deque[Task | SampleTask] = deque()
            found = 0
            for work in self._work:
                fits = sum(member.request.samples for member in group) < TOGETHER
                if isinstance(work, SampleTask) and work.weights == first.weights and fits:
                    group.append(work)
                    found += 1
                else:
                    rest.append(work)
            self._work = rest
            if (found == 0 and len(group) > 1) or rest or self._stopping:
                return group
            if not self._changed.wait(LINGER_SECONDS):
                return group

    def _sample(self, group: list[SampleTask]) -> None:
        results: list[SampleResult] = []

        def run() -> Reply:
            results.extend(self._sampler(group[0].weights, [member.request for member in group]))
            return Reply(b"")

        outcome = attempt(run)
        if results:
            for member, result in zip(group, results, strict=True):
                member.answered(attempt(lambda member=member, result=result: member.encode(result)))  # type: ignore[misc]
        else:
            for member in group:
                member.answered(outcome)


def attempt(run: Callable[[], Reply]) -> Reply:
    """The reply of `run`, or of its failure; what is not foreseen is the server's fault and goes to the log."""
    try:
        return run()
    except (InvalidRequest, UnknownName) as error:
        return failure(str(error), Category.USER)
    except TinkerServerError as error:
        return failure(str(error), Category.SERVER)
    except OSError as error:
        log.exception("a request failed")
        return failure(f"the server cannot read or write its state: {error}", Category.SERVER)
    except Exception as error:
        log.exception("a request failed")
        return failure(f"the server failed: {type(error).__name__}: {error}", Category.SERVER)
