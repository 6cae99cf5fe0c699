"""What one tenant uses, held against what it may."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, final

from emotional_ai_service.bucket import TokenBucket
from emotional_ai_service.errors import QuotaExceeded, RateLimited
from emotional_ai_service.tenants.limits import Limits
from emotional_ai_service.tenants.usage import Daily, Usage

SOON: Final = 1.0
"""Seconds after which to try again what waits for another call to end."""
_MINUTE: Final = 60.0


@final
class Reply:
    """A reply being spoken: counts its tokens."""

    def __init__(self) -> None:
        self.tokens = 0


@final
class Meter:
    """One tenant's. All methods but `job` belong to the event loop, whose clock is asked."""

    def __init__(self, tenant: str, limits: Limits, usage: Usage, now: Callable[[], float]) -> None:
        self._tenant = tenant
        self._usage = usage
        self._now = now
        self._replies = 0
        self._streams = 0
        self.limits = limits
        self._calls = TokenBucket(limits.calls_burst, limits.calls_per_second, now())
        self._tokens = TokenBucket(*_per_minute(limits), now())

    def limit(self, limits: Limits) -> None:
        """Holds what is used against other limits from now on."""
        now, self.limits = self._now(), limits
        self._calls.resize(limits.calls_burst, limits.calls_per_second, now)
        self._tokens.resize(*_per_minute(limits), now)

    @property
    def idle(self) -> bool:
        """Whether a new meter would say the same."""
        now = self._now()
        return not (self._replies or self._streams or self._calls.used(now) or self._tokens.used(now))

    def call(self) -> None:
        """Counts a call. Raises RateLimited."""
        now = self._now()
        wait = self._calls.take(1, now)
        if wait:
            rate = self.limits.calls_per_second
            raise RateLimited("calls_per_second", self._calls.used(now), rate, wait)

    async def turn(self) -> None:
        """Counts a batch on a stream, waiting until its turn has come: a stream is slowed, not ended."""
        wait = self._calls.borrow(1, self._now())
        if wait:
            await asyncio.sleep(wait)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Counts a stream as long as it is open. Raises RateLimited."""
        if self._streams + 1 > self.limits.concurrent_streams:
            raise RateLimited("concurrent_streams", self._streams, self.limits.concurrent_streams, SOON)
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    @contextmanager
    def reply(self, most: int) -> Iterator[Reply]:
        """Counts a reply of at most `most` tokens as long as it is spoken, then as many as it was.

        Raises RateLimited, or QuotaExceeded.
        """
        day = self._take_tokens(most)
        self._replies += 1
        reply = Reply()
        try:
            yield reply
        finally:
            self._replies -= 1
            unspoken = max(0, most - reply.tokens)
            self._tokens.give_back(unspoken, self._now())
            self._usage.give_back(self._tenant, Daily.GENERATION_TOKENS, unspoken, day)

    @contextmanager
    def job(self, at_once: int) -> Iterator[None]:
        """Counts a training job, `at_once` of which wait or run already, unless it fails to begin inside; of any thread.

        Raises QuotaExceeded.
        """
        allowed = self.limits.training_jobs_at_once
        if at_once + 1 > allowed:
            raise QuotaExceeded("training_jobs_at_once", at_once, allowed, "wait for one to end, or cancel one")
        day = self._take_today(Daily.TRAINING_JOBS, 1, self.limits.training_jobs_per_day)
        try:
            yield
        except BaseException:
            self._usage.give_back(self._tenant, Daily.TRAINING_JOBS, 1, day)
            raise

    def _take_tokens(self, most: int) -> int:
        """Returns the day on which they are counted."""
        limits, now = self.limits, self._now()
        if self._replies + 1 > limits.concurrent_replies:
            raise RateLimited("concurrent_replies", self._replies, limits.concurrent_replies, SOON)
        allowed = min(limits.generation_tokens_per_minute, limits.generation_tokens_per_day)
        if most > allowed:
            per = "minute" if allowed == limits.generation_tokens_per_minute else "day"
            raise QuotaExceeded(
                f"generation_tokens_per_{per}", most, allowed, f"ask for at most {allowed:g} with sampling.max_tokens"
            )
        wait = self._tokens.take(most, now)
        if wait:
            allowed = limits.generation_tokens_per_minute
            raise RateLimited("generation_tokens_per_minute", self._tokens.used(now), allowed, wait)
        try:
            return self._take_today(Daily.GENERATION_TOKENS, most, limits.generation_tokens_per_day)
        except QuotaExceeded:
            self._tokens.give_back(most, now)
            raise

    def _take_today(self, what: Daily, amount: int, allowed: float) -> int:
        taken = self._usage.take(self._tenant, what, amount, allowed)
        if taken.wait_seconds:
            raise QuotaExceeded(what.value, taken.used, allowed, "wait for the next day, UTC", taken.wait_seconds)
        return taken.day


def _per_minute(limits: Limits) -> tuple[float, float]:
    """Capacity and rate of the bucket of generation tokens: a minute's worth at once."""
    return limits.generation_tokens_per_minute, limits.generation_tokens_per_minute / _MINUTE
