"""A token bucket against its closed form: whatever is asked when, it has what a line that is cut off at the top would have."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_service.bucket import TokenBucket

STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=30)
"""Sixteenths of a second that pass, and tokens asked for then."""
CAPACITY, RATE = 8.0, 2.0


@given(STEPS)
def test_it_gives_exactly_what_the_closed_form_allows(steps: list[tuple[int, int]]) -> None:
    bucket, level, now = TokenBucket(CAPACITY, RATE, 0.0), Fraction(8), Fraction(0)
    for passed, asked in steps:
        now += Fraction(passed, 16)
        level = min(Fraction(8), level + 2 * Fraction(passed, 16))
        wait = bucket.take(asked, float(now))
        if asked <= level:
            assert wait == 0
            level -= asked
        elif asked > CAPACITY:
            assert wait == math.inf
        else:
            assert wait == float((asked - level) / 2)
        assert bucket.used(float(now)) == float(8 - level)


@given(STEPS)
def test_over_any_span_it_gives_no_more_than_the_capacity_and_what_came_meanwhile(steps: list[tuple[int, int]]) -> None:
    bucket, now, given_out = TokenBucket(CAPACITY, RATE, 0.0), 0.0, 0.0
    for passed, asked in steps:
        now += passed / 16
        if bucket.take(asked, now) == 0:
            given_out += asked
        assert given_out <= CAPACITY + RATE * now


@given(st.integers(1, 8), st.floats(0, 100))
def test_the_time_it_names_is_the_time_it_takes(asked: int, begin: float) -> None:
    bucket = TokenBucket(CAPACITY, RATE, begin)
    assert bucket.take(8, begin) == 0
    wait = bucket.take(asked, begin)
    assert wait == asked / RATE
    assert bucket.take(asked, begin + wait * 0.99) > 0
    assert bucket.take(asked, begin + wait * 1.001) == 0


@given(st.integers(1, 8))
def test_what_was_not_used_can_be_given_back(asked: int) -> None:
    bucket = TokenBucket(CAPACITY, RATE, 0.0)
    bucket.take(asked, 0.0)
    bucket.give_back(asked, 0.0)
    bucket.give_back(asked, 0.0)
    assert bucket.take(CAPACITY, 0.0) == 0
    assert bucket.take(1, 0.0) == 0.5


def test_those_who_borrow_come_one_after_the_other() -> None:
    bucket = TokenBucket(2.0, RATE, 0.0)
    assert [bucket.borrow(1, 0.0) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]
    assert bucket.take(1, 1.0) == 1.0


def test_a_bucket_of_another_size_misses_what_was_missing() -> None:
    bucket = TokenBucket(CAPACITY, RATE, 0.0)
    bucket.take(6, 0.0)
    bucket.resize(10.0, 1.0, 0.0)
    assert bucket.take(4, 0.0) == 0
    assert bucket.take(1, 0.0) == 1.0
    bucket.resize(2.0, 1.0, 0.0)
    assert bucket.take(1, 0.0) == 9.0


@pytest.mark.parametrize("rate", [math.inf, 2.0])
def test_an_endless_bucket_is_never_empty(rate: float) -> None:
    bucket = TokenBucket(math.inf, rate, 0.0)
    assert all(bucket.take(10**9, 0.0) == 0 for _ in range(100))
    assert TokenBucket(3.0, math.inf, 0.0).take(3, 0.0) == 0
