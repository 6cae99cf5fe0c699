"""When a stream that lost its connection tries again, and when it gives up."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from emotional_ai.errors import EmotionalAIError


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts to reconnect: growing, varied by a fifth, and bounded in number (36 s in all by default)."""

    first_seconds: float = 0.1
    """Wait before the first new attempt."""
    factor: float = 2.0
    """Growth of the wait, attempt by attempt."""
    longest_seconds: float = 5.0
    """Longest wait; a connection that held longer than this counts as having worked."""
    attempts: int = 12
    """New attempts in a row that may fail before the stream raises the error of the last one."""

    def seconds(self, attempt: int) -> float:
        """Wait before new attempt number `attempt`, from 0, before it is varied."""
        return min(self.first_seconds * self.factor**attempt, self.longest_seconds)


class Attempts:
    """Counts a stream's attempts in a row. `clock` returns seconds; `draw` a number in [0, 1)."""

    def __init__(
        self,
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._backoff = backoff
        self._clock = clock
        self._draw = draw
        self._failed = 0
        self._began = clock()

    def began(self) -> None:
        """An attempt is being made."""
        self._began = self._clock()

    def worked(self) -> None:
        """Something arrived."""
        self._failed = 0

    def wait_after(self, error: EmotionalAIError) -> float:
        """Seconds to wait before the next attempt, no less than the service asks for. Raises `error` if there is none left."""
        if self._clock() - self._began > self._backoff.longest_seconds:
            self._failed = 0
        if self._failed >= self._backoff.attempts:
            error.add_note(f"gave up after {self._failed + 1} attempts to connect in a row")
            raise error
        seconds = self._backoff.seconds(self._failed) * (0.8 + 0.4 * self._draw())
        self._failed += 1
        return max(seconds, error.retry_after or 0.0)
