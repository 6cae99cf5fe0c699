"""What a tenant uses is held against its limits; what is refused says when it would not be, and counts nothing."""

import asyncio
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tenants import until

from emotional_ai_service.errors import QuotaExceeded, RateLimited
from emotional_ai_service.tenants.errors import UsageUnusable
from emotional_ai_service.tenants.limits import Limits, LimitTable
from emotional_ai_service.tenants.meter import SOON, Meter
from emotional_ai_service.tenants.meters import METERS_KEPT, Meters
from emotional_ai_service.tenants.usage import DAY_US, Daily, Usage, kept_usage

NOON_US = 20_000 * DAY_US + DAY_US // 2
TOKENS, JOBS = Daily.GENERATION_TOKENS, Daily.TRAINING_JOBS


@dataclass
class Clock:
    """Time that a test sets: wall microseconds, and seconds since the first noon."""

    us: int = NOON_US
    usage: Usage = field(init=False)

    def __post_init__(self) -> None:
        self.usage = Usage(lambda: self.us)

    def seconds(self) -> float:
        return (self.us - NOON_US) / 1e6

    def pass_by(self, seconds: float) -> None:
        self.us += round(seconds * 1e6)

    def meter(self, **limits: float) -> Meter:
        return Meter("acme", Limits(**limits), self.usage, self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_calls_beyond_the_rate_are_refused_with_the_true_time_to_wait(clock: Clock) -> None:
    meter = clock.meter(calls_per_second=2, calls_burst=3)
    for _ in range(3):
        meter.call()
    clock.pass_by(0.1)
    with pytest.raises(RateLimited) as refused:
        meter.call()
    assert refused.value.retry_seconds == pytest.approx(0.4)
    assert refused.value.facts == {"limit": "calls_per_second", "used": "2.8", "allowed": "2"}
    clock.pass_by(0.400001)
    meter.call()


def test_a_reply_counts_what_it_may_be_until_it_has_ended_then_what_it_was(clock: Clock) -> None:
    meter = clock.meter(generation_tokens_per_minute=100, generation_tokens_per_day=1000)
    with meter.reply(80) as reply:
        assert clock.usage.used("acme", TOKENS) == 80
        with pytest.raises(RateLimited) as refused, meter.reply(30):
            pass
        assert refused.value.retry_seconds == pytest.approx(6)
        reply.tokens = 10
    assert clock.usage.used("acme", TOKENS) == 10
    with meter.reply(90):
        pass


def test_a_reply_longer_than_could_ever_be_is_refused_with_what_to_do_and_no_time(clock: Clock) -> None:
    meter = clock.meter(generation_tokens_per_minute=100, generation_tokens_per_day=50)
    with (
        pytest.raises(QuotaExceeded, match=r"ask for at most 50 with sampling\.max_tokens") as refused,
        meter.reply(51),
    ):
        pass
    assert refused.value.retry_seconds is None
    assert refused.value.facts["limit"] == "generation_tokens_per_day"


def test_a_days_tokens_come_back_at_midnight_utc(clock: Clock) -> None:
    meter = clock.meter(generation_tokens_per_day=50)
    with meter.reply(40) as reply:
        reply.tokens = 40
    clock.pass_by(3600)
    with pytest.raises(QuotaExceeded) as refused, meter.reply(11):
        pass
    assert refused.value.retry_seconds == pytest.approx(11 * 3600)
    assert refused.value.facts == {"limit": "generation_tokens_per_day", "used": "40", "allowed": "50"}
    clock.pass_by(11 * 3600)
    with meter.reply(50):
        pass


def test_a_reply_refused_by_the_day_takes_nothing_from_the_minute(clock: Clock) -> None:
    meter = clock.meter(generation_tokens_per_minute=60, generation_tokens_per_day=60)
    with meter.reply(40) as reply:
        reply.tokens = 40
    clock.pass_by(40)
    for _ in range(5):
        with pytest.raises(QuotaExceeded), meter.reply(60):
            pass
    with meter.reply(20):
        pass


def test_a_reply_that_goes_on_over_midnight_is_the_old_days(clock: Clock) -> None:
    meter = clock.meter(generation_tokens_per_day=50)
    clock.pass_by(12 * 3600 - 1)
    with meter.reply(30):
        clock.pass_by(2)
        with meter.reply(50) as reply:
            reply.tokens = 5
    assert clock.usage.used("acme", TOKENS) == 5


def test_replies_and_streams_at_once_are_counted_while_they_last(clock: Clock) -> None:
    meter = clock.meter(concurrent_replies=1, concurrent_streams=1)
    with meter.reply(1), meter.stream():
        for kind in (lambda: meter.reply(1), meter.stream):
            with pytest.raises(RateLimited) as refused, kind():
                pass
            assert refused.value.retry_seconds == SOON
    with meter.reply(1), meter.stream():
        assert not meter.idle
    assert meter.idle


def test_jobs_are_counted_at_once_and_by_the_day_unless_they_fail_to_begin(clock: Clock) -> None:
    meter = clock.meter(training_jobs_at_once=2, training_jobs_per_day=2)
    with pytest.raises(OSError, match="full"), meter.job(0):
        raise OSError("full")
    with meter.job(0), meter.job(1):
        pass
    with pytest.raises(QuotaExceeded, match="cancel one"), meter.job(2):
        pass
    with pytest.raises(QuotaExceeded, match="next day") as refused, meter.job(0):
        pass
    assert refused.value.retry_seconds == pytest.approx(12 * 3600)


async def test_batches_on_streams_wait_for_their_turn(clock: Clock) -> None:
    meter = clock.meter(calls_per_second=1000, calls_burst=1)
    await asyncio.wait_for(asyncio.gather(*(meter.turn() for _ in range(5))), 30)
    with pytest.raises(RateLimited) as refused:
        meter.call()
    assert refused.value.retry_seconds == pytest.approx(0.005)


def test_limits_that_change_hold_what_was_used(clock: Clock) -> None:
    meter = clock.meter(calls_per_second=1, calls_burst=2)
    meter.call()
    meter.limit(Limits(calls_per_second=1, calls_burst=1))
    with pytest.raises(RateLimited):
        meter.call()
    meter.limit(Limits())
    for _ in range(100):
        meter.call()


def test_meters_of_many_tenants_are_forgotten_once_they_say_nothing(clock: Clock) -> None:
    table = LimitTable(Limits(calls_per_second=1, calls_burst=1))
    meters = Meters(table, clock.usage, clock.seconds)
    busy, idle = meters.of("busy"), meters.of("idle")
    with busy.stream():
        for number in range(METERS_KEPT - 2):
            meters.of(f"t{number}").call()
        clock.pass_by(2)
        meters.of("one-more")
        assert meters.of("busy") is busy
    assert meters.of("idle") is not idle


# ---- the file a restart goes on from


async def test_a_days_use_survives_a_restart_and_ends_with_the_day(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "state" / "usage.json"
    for _ in range(2):
        async with kept_usage(path, lambda: clock.us, 0.01) as usage:
            usage.take("acme", TOKENS, 40, math.inf)
            usage.take("zeta", JOBS, 1, math.inf)
    async with kept_usage(path, lambda: clock.us, 0.01) as usage:
        assert (usage.used("acme", TOKENS), usage.used("zeta", JOBS), usage.used("acme", JOBS)) == (80, 2, 0)
        clock.pass_by(86_400)
        assert usage.used("acme", TOKENS) == 0


async def test_a_kill_forgets_no_more_than_the_last_writing(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    async with kept_usage(path, lambda: clock.us, 0.01) as usage:
        usage.take("acme", TOKENS, 40, math.inf)
        await until(path.exists)
        assert json.loads(path.read_text())["used"] == {"acme": {"generation_tokens_per_day": 40}}


def test_a_clock_set_back_brings_no_day_back(clock: Clock) -> None:
    clock.usage.take("acme", TOKENS, 40, 50)
    clock.us -= DAY_US
    assert clock.usage.take("acme", TOKENS, 11, 50).wait_seconds > 86_400


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 2}', '{"format": 1, "day": 1, "used": {"a": {"x": 1}}}']
)
async def test_a_damaged_file_is_refused_by_name(clock: Clock, tmp_path: Path, content: str) -> None:
    path = tmp_path / "usage.json"
    path.write_text(content)
    with pytest.raises(UsageUnusable, match=r"usage\.json, is damaged: .*; remove it"):
        async with kept_usage(path, lambda: clock.us, 1):
            pass


async def test_two_services_do_not_count_in_one_file(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    async with kept_usage(path, lambda: clock.us, 1):
        with pytest.raises(UsageUnusable, match="is kept by another service; name another with --usage"):
            async with kept_usage(path, lambda: clock.us, 1):
                pass
