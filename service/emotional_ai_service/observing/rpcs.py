"""Calls as they are counted: how many are under way, how they ended, and how long they took."""

import time
from dataclasses import dataclass, field
from typing import final

from emotional_ai_service.observing.histogram import CALLS, Histogram


@dataclass(slots=True)
class RpcCounts:
    """What was counted of one method."""

    in_flight: int = 0
    seconds: dict[str, Histogram] = field(default_factory=dict)
    """How long calls took, by the name of the code they ended with. A stream counts when it ends, with its whole life."""

    def ended(self, code: str, seconds: float) -> None:
        """Counts a call that ended."""
        histogram = self.seconds.get(code)
        if histogram is None:
            histogram = self.seconds[code] = Histogram(CALLS)
        histogram.observe(seconds)


@final
class Rpcs:
    """Counts by method, such as "EmotionEngine/GetState"."""

    def __init__(self) -> None:
        self.methods: dict[str, RpcCounts] = {}

    def of(self, method: str) -> RpcCounts:
        """The counts of a method."""
        return self.methods.setdefault(method, RpcCounts())


@final
class StreamLag:
    """How far what a stream of states sends lies behind: ages of changes when they are sent, and changes never sent apart."""

    __slots__ = ("coalesced", "seconds", "sent")

    def __init__(self) -> None:
        self.seconds = Histogram(CALLS)
        """Between the first change a response tells of and its sending."""
        self.sent = 0
        """Responses that told of changes."""
        self.coalesced = 0
        """Changes that were folded into the response of a later one."""

    def tells(self, changes: int, since: float) -> None:
        """Counts a response that tells of `changes`, the first of which was at `since` on the clock of time.monotonic."""
        if changes:
            self.sent += 1
            self.coalesced += changes - 1
            self.seconds.observe(time.monotonic() - since)
