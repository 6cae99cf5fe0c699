"""When streams reconnect, and when they give up."""

import pytest

from emotional_ai import Backoff, Details, Unavailable
from emotional_ai.backoff import Attempts

BACKOFF = Backoff(first_seconds=1.0, factor=2.0, longest_seconds=5.0, attempts=4)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def attempts(clock: Clock, draw: float = 0.5) -> Attempts:
    return Attempts(BACKOFF, clock, lambda: draw)


def test_waits_grow_to_the_longest_and_then_the_last_error_is_raised() -> None:
    counted, error = attempts(Clock()), Unavailable("gone")
    assert [counted.wait_after(error) for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    with pytest.raises(Unavailable, match="gone") as caught:
        counted.wait_after(error)
    assert caught.value.__notes__ == ["gave up after 5 attempts to connect in a row"]


@pytest.mark.parametrize(("draw", "expected"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_waits_vary_by_a_fifth_so_that_clients_do_not_come_back_together(draw: float, expected: float) -> None:
    assert attempts(Clock(), draw).wait_after(Unavailable("gone")) == pytest.approx(expected)


def test_the_service_may_ask_for_a_longer_wait_but_not_a_shorter() -> None:
    counted = attempts(Clock())
    assert counted.wait_after(Unavailable("busy", Details(retry_after=30.0))) == 30.0
    assert counted.wait_after(Unavailable("busy", Details(retry_after=0.01))) == 2.0


def test_whatever_arrives_begins_the_count_anew() -> None:
    counted = attempts(Clock())
    for _ in range(20):
        assert counted.wait_after(Unavailable("gone")) == 1.0
        counted.worked()


def test_a_connection_that_held_a_while_counts_as_having_worked() -> None:
    clock = Clock()
    counted = attempts(clock)
    for _ in range(20):
        counted.began()
        clock.now += 5.1
        assert counted.wait_after(Unavailable("gone")) == 1.0


def test_by_default_a_stream_waits_about_half_a_minute_in_all() -> None:
    standard = Backoff()
    assert 30 < sum(standard.seconds(attempt) for attempt in range(standard.attempts)) < 40
