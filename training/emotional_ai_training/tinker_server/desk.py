"""Where requests become promises: accepted once, bounded in number, computed in turn, answered on the event loop."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from emotional_ai_training.tinker_server.compute import Compute, SampleTask, Task
from emotional_ai_training.tinker_server.engine import Engine
from emotional_ai_training.tinker_server.errors import Busy, UnknownName
from emotional_ai_training.tinker_server.futures import Futures
from emotional_ai_training.tinker_server.replies import Category, Reply, failure
from emotional_ai_training.tinker_server.turns import Turns

GAP_SECONDS: Final = 60.0
"""A request that came early fails when the one before it has not come for so long."""


def wall_clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


def fresh_seed() -> int:
    """A seed for who gave none."""
    return secrets.randbits(63)


class Desk:
    """What the routes share; lives on one event loop, and its engine on the compute thread."""

    def __init__(self, engine: Engine, compute: Compute, futures: Futures, max_queue: int) -> None:
        self.engine = engine
        self.futures = futures
        self._compute = compute
        self._max_queue = max_queue
        self._turns: dict[str, Turns] = {}
        self._loop = asyncio.get_running_loop()

    def submit(self, request_id: str, run: Callable[[], Reply]) -> None:
        """Promises what `run` answers. The same id again is the same request. Raises Busy."""
        if self._accept(request_id, urgent=False):
            self._compute.submit(Task(run, self._answered(request_id)))

    def submit_sample(self, request_id: str, make: Callable[[Callable[[Reply], None]], SampleTask]) -> None:
        """As submit, for sampling."""
        if request_id not in self.futures:
            task = make(self._answered(request_id))
            if self._accept(request_id, urgent=False):
                self._compute.submit(task)

    def submit_in_turn(self, run_id: str, number: int | None, run: Callable[[], Reply]) -> str:
        """As submit, after the model's requests with lower numbers; returns the request's id."""
        turns = self._turns[run_id]
        number = turns.next if number is None else number
        request_id = f"{run_id}:{number}"
        if number < turns.next and request_id not in self.futures:
            raise UnknownName(f"request {number} of {run_id} was answered long ago")
        if self._accept(request_id, urgent=number == turns.next and bool(turns.early)):
            for task in turns.admit(number, Task(run, self._answered(request_id)), self._loop.time()):
                self._compute.submit(task)
        return request_id

    def begin_turns(self, run_id: str) -> None:
        """A model may be sent requests from now on."""
        self._turns.setdefault(run_id, Turns())

    def forget(self, run_id: str) -> None:
        """A model may not be sent requests any more; what it held is freed after the work under way."""
        self._turns.pop(run_id, None)

        def run() -> Reply:
            self.engine.drop(run_id)
            return Reply(b"")

        self._compute.submit(Task(run, lambda _: None))

    def forget_soon(self, run_id: str) -> None:
        """As forget, from any thread."""
        self._loop.call_soon_threadsafe(self.forget, run_id)

    def live(self, run_id: str) -> bool:
        """Whether the model may be sent requests."""
        return run_id in self._turns

    def live_count(self) -> int:
        """Models that may be sent requests."""
        return len(self._turns)

    def fail_overdue(self) -> None:
        """Fails requests that wait for one that never came."""
        for run_id, turns in self._turns.items():
            missing = turns.next
            late = turns.overdue(self._loop.time() - GAP_SECONDS)
            for number, task in late:
                message = f"request {missing} of {run_id} never came, so request {number} was not run"
                task.answered(failure(message, Category.USER))
            if late:
                self._spoil(run_id)

    def _spoil(self, run_id: str) -> None:
        """What never came may have been a gradient: the next step must not be taken without it."""

        def run() -> Reply:
            self.engine.run(run_id).spoil()
            return Reply(b"")

        self._compute.submit(Task(run, lambda _: None))

    def _accept(self, request_id: str, *, urgent: bool) -> bool:
        if request_id in self.futures:
            return False
        if self.futures.pending >= self._max_queue and not urgent:
            raise Busy(f"{self._max_queue} requests are waiting already; try again later, or raise --max-queue")
        self.futures.open(request_id)
        return True

    def _answered(self, request_id: str) -> Callable[[Reply], None]:
        def answered(reply: Reply) -> None:
            self._loop.call_soon_threadsafe(self.futures.resolve, request_id, reply)

        return answered
