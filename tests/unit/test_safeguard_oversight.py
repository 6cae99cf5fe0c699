"""What is remembered of sessions for the replies to come: until when they are lowered, how often they were told."""

from collections.abc import Sequence

import pytest

from emotional_ai_service.callers import ANYBODY, Caller, called_by
from emotional_ai_service.safeguard import (
    UNRESTRAINED,
    Found,
    Lasting,
    Notice,
    Oversight,
    Restraint,
)
from emotional_ai_service.safeguard.oversight import SHORT

MINUTE_US = 60_000_000


class Clock:
    """Wall microseconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class Numbers:
    """A guard that lowers to the number a text begins with, for as many minutes as it ends with."""

    def look(self, text: str, _history: Sequence[str], /) -> Found:
        if not text[:1].isdigit():
            return Found()
        low, minutes = (float(part) for part in text.split()[:2])
        return Found(("number",), low, ("Look out.",), (Lasting(minutes, low),) if minutes else ())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def oversight(clock: Clock) -> Oversight:
    return Oversight(clock, Numbers(), Notice("A program.", every=2), remembered=3)


async def test_the_lowest_that_still_holds_counts_and_each_ends_in_its_time(oversight: Oversight, clock: Clock) -> None:
    assert await oversight.restrain("ada", "0.5 10") == Restraint(("number",), 0.5, ("Look out.",))
    assert await oversight.restrain("ada", "0.2 5") == Restraint(("number",), 0.2, ("Look out.",))
    assert (await oversight.restrain("ada", "0.6 3")).intensity == 0.2
    seen = []
    for minute in (4, 5, 9, 10):
        clock.now = minute * MINUTE_US
        seen.append((await oversight.restrain("ada", "hello")).intensity)
    assert seen == [0.2, 0.5, 0.5, 1.0]
    assert await oversight.restrain("ada", "hello") == UNRESTRAINED


async def test_words_without_minutes_and_replies_under_no_session_lower_themselves_alone(oversight: Oversight) -> None:
    assert (await oversight.restrain("ada", "0.5 0")).intensity == 0.5
    assert (await oversight.restrain("", "0.5 10")).intensity == 0.5
    for session_id in ("ada", ""):
        assert await oversight.restrain(session_id, "hello") == UNRESTRAINED


async def test_a_long_text_is_looked_at_as_a_short_one(oversight: Oversight) -> None:
    assert await oversight.restrain("ada", "0.5 1 " + "x" * SHORT) == await oversight.restrain("bob", "0.5 1")


async def test_a_session_of_one_tenant_says_nothing_about_another_s_of_the_same_name(oversight: Oversight) -> None:
    try:
        await oversight.restrain("ada", "0.5 10")
        assert oversight.disclosure("ada", UNRESTRAINED) == "A program."
        called_by(Caller("other"))
        assert await oversight.restrain("ada", "hello") == UNRESTRAINED
        assert oversight.disclosure("ada", UNRESTRAINED) == "A program."
        assert oversight.disclosure("ada", UNRESTRAINED) == ""
    finally:
        called_by(ANYBODY)


async def test_of_more_sessions_than_can_be_remembered_the_oldest_is_told_again(oversight: Oversight) -> None:
    told = [oversight.disclosure(name, UNRESTRAINED) for name in ("a", "b", "a", "c", "d", "b", "d")]
    assert told == ["A program.", "A program.", "", "A program.", "A program.", "A program.", ""]


async def test_what_the_words_call_for_is_told_below_the_notice_each_time(oversight: Oversight) -> None:
    restraint = await oversight.restrain("ada", "0.5 0")
    assert [oversight.disclosure("ada", restraint) for _ in range(2)] == ["A program.\nLook out.", "Look out."]
    assert Oversight(Clock()).disclosure("ada", UNRESTRAINED) == ""
