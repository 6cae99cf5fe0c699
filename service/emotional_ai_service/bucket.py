"""A token bucket: what may be used at once, and how fast it comes back."""

import math
from typing import final


@final
class TokenBucket:
    """Holds `capacity` tokens at most, full at first, and gains `rate` tokens a second. Moments are seconds of one clock."""

    def __init__(self, capacity: float, rate: float, now: float) -> None:
        """`capacity` and `rate` are more than 0, or infinite."""
        self._capacity = capacity
        self._rate = rate
        self._used = 0.0
        self._at = now

    def used(self, now: float) -> float:
        """Tokens missing at a moment, 0 where it is full. More than the capacity while tokens are owed."""
        if not self._used or self._rate == math.inf:
            return 0.0
        return max(0.0, self._used - self._rate * max(0.0, now - self._at))

    def take(self, tokens: float, now: float) -> float:
        """Takes tokens; or takes nothing, and returns the seconds until they are there: infinite for more than it holds."""
        used = self.used(now)
        if used + tokens <= self._capacity:
            self._used, self._at = used + tokens, now
            return 0.0
        if tokens > self._capacity:
            return math.inf
        return (used + tokens - self._capacity) / self._rate

    def borrow(self, tokens: float, now: float) -> float:
        """Takes tokens though they may not be there yet; the seconds until they are."""
        self._used, self._at = self.used(now) + tokens, now
        return max(0.0, self._used - self._capacity) / self._rate

    def give_back(self, tokens: float, now: float) -> None:
        """Puts back tokens that were taken and not used."""
        self._used, self._at = max(0.0, self.used(now) - tokens), now

    def resize(self, capacity: float, rate: float, now: float) -> None:
        """Goes on with another capacity and rate; what is missing now is missing still."""
        self._used, self._at = self.used(now), now
        self._capacity, self._rate = capacity, rate
