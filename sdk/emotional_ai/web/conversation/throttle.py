"""Hands on what has gathered, now and then."""

import asyncio
from collections.abc import Callable


class Throttle:
    """Calls `hand_on` once after each `due`, but at most every so many seconds. Used on a running loop."""

    def __init__(self, seconds: float, hand_on: Callable[[], None]) -> None:
        self._seconds = seconds
        self._hand_on = hand_on
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def due(self) -> None:
        """There is something to hand on."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._next, loop.time()), self.now)

    def now(self) -> None:
        """Hands on at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._next = asyncio.get_running_loop().time() + self._seconds
        self._hand_on()
