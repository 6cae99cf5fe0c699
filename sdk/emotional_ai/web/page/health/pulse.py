"""Calls of the service, the time they took, and what came of them."""

import time
from collections import deque
from collections.abc import Awaitable
from enum import Enum
from statistics import median
from typing import Final, TypeVar

from emotional_ai.errors import EmotionalAIError, FailedPrecondition, TryAgain
from emotional_ai.web.page.kept import in_words

T = TypeVar("T")
KEPT: Final = 20
"""Latest calls whose time counts."""


class Standing(Enum):
    """How a part of the service stands."""

    UP = "up"
    WAITING = "waiting"
    """It answers, and cannot do its work now."""
    OFF = "off"
    """It answers that it was started without this."""
    DOWN = "down"
    """It does not answer, or fails."""


class Pulse:
    """One kind of call, made now and then."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self.standing = Standing.DOWN
        self.words = ""
        """Why it is not up; empty if it is."""

    @property
    def milliseconds(self) -> float | None:
        """How long the latest calls took: their median; None if none was answered last time."""
        return median(self._seconds) * 1000 if self._seconds else None

    async def take(self, call: Awaitable[T]) -> T | None:
        """What a call comes to; None if it fails."""
        began = time.perf_counter()
        try:
            came = await call
        except EmotionalAIError as error:
            self._failed(error, time.perf_counter() - began)
            return None
        self._seconds.append(time.perf_counter() - began)
        self.standing, self.words = Standing.UP, ""
        return came

    def _failed(self, error: EmotionalAIError, seconds: float) -> None:
        self.words = in_words(error)
        answered = bool(error.reason)
        if answered:
            self._seconds.append(seconds)
        else:
            self._seconds.clear()
        self.standing = _standing(error) if answered else Standing.DOWN


def _standing(error: EmotionalAIError) -> Standing:
    if isinstance(error, FailedPrecondition):
        return Standing.OFF
    return Standing.WAITING if isinstance(error, TryAgain) else Standing.DOWN
