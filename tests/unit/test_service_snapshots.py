"""A snapshot gives back the very moment it was made of."""

import math

from core_strategies import dynamics, levels, maybe_signals, signals
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.names import Vector4
from emotional_ai_service.core.timeline import (
    Agent,
    Continuation,
    Entry,
    Happened,
    Moment,
    Skipped,
    Sustained,
    begin,
)
from emotional_ai_service.snapshots import moment_from, moment_to

START_US = 1_700_000_000_000_000

entries = st.one_of(
    st.builds(Happened, signals()),
    st.builds(Sustained, maybe_signals(), st.floats(0.1, 1000) | st.just(math.inf)),
    st.builds(Skipped, st.floats(0.1, 100)),
)
lives = st.lists(st.tuples(st.integers(0, 60_000_000), entries), max_size=6)


@settings(max_examples=60, deadline=None)
@given(dynamics(), levels, lives, entries)
def test_a_moment_comes_back_bit_for_bit_and_goes_on_the_same(
    dynamics: Dynamics, initial: Vector4, life: list[tuple[int, Entry]], after: Entry
) -> None:
    moment = begin(Agent(dynamics), START_US, initial)
    for elapsed, entry in life:
        moment = Continuation(moment).apply(entry, moment.time_us + elapsed)
    created_us, restored = moment_from(moment_to(START_US - 5, moment))
    assert created_us == START_US - 5
    assert restored == moment._replace(agent=restored.agent, label_slack=restored.label_slack)
    assert restored.agent == moment.agent
    later_us = moment.time_us + 7_000_000
    assert unslacked(Continuation(restored).apply(after, later_us)) == unslacked(
        Continuation(moment).apply(after, later_us)
    )


def unslacked(moment: Moment) -> tuple[object, ...]:
    """A moment without its agent and without what it only remembers to save work."""
    return moment._replace(label_slack=0.0)[1:]


def test_a_snapshot_of_another_form_is_left_for_the_log_to_replace() -> None:
    payload = moment_to(START_US, begin(Agent(Dynamics()), START_US))
    assert moment_from(b"moment/9" + payload[8:]) is None
