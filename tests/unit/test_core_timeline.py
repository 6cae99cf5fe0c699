"""A session's life as a fold over its log: what entries do, and that reading changes nothing."""

import math
from dataclasses import replace
from itertools import accumulate

import pytest
from core_strategies import distance, dynamics, levels, maybe_signals, number, signals
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai_service.core.configuration import Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.errors import InvalidInput, TimeReversed
from emotional_ai_service.core.labels import hold
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS, SignalVector, Vector4
from emotional_ai_service.core.replay import replay
from emotional_ai_service.core.simulation import Event, Span, simulate
from emotional_ai_service.core.timeline import (
    MICROSECONDS_PER_MINUTE,
    Agent,
    Configured,
    Continuation,
    Entry,
    Happened,
    Moment,
    Restored,
    Skipped,
    Sustained,
    begin,
    local_hour,
)

BIRTH = 1_700_000_000_000_000
MINUTE = MICROSECONDS_PER_MINUTE
START: Vector4 = (0.7, 0.4, 0.5, 0.6)

happened = st.builds(Happened, signals(1.0))
held = st.builds(Sustained, maybe_signals(0.05))
held_for_a_while = st.builds(Sustained, signals(0.05), number(0.5, 200.0))
skipped = st.builds(Skipped, number(0.5, 500.0))
restored = st.builds(Restored, st.none() | levels)
entries = happened | held | held_for_a_while | skipped | restored
gaps = st.integers(1, 20 * MINUTE)
agents = dynamics(strength=2.5).map(Agent)


def logs(kinds: st.SearchStrategy[Entry]) -> st.SearchStrategy[list[tuple[int, Entry]]]:
    """Entries in order of time, in wall microseconds."""
    steps = st.lists(st.tuples(gaps, kinds), min_size=1, max_size=7)
    return steps.map(
        lambda chosen: list(
            zip(accumulate((s[0] for s in chosen), initial=BIRTH), (s[1] for s in chosen), strict=False)
        )
    )


def signal(name: str, intensity: float = 1.0) -> SignalVector:
    return tuple(intensity if other == name else 0.0 for other in SIGNALS)


def after(moment: Moment, entry: Entry, time_us: int) -> Moment:
    return Continuation(moment).apply(entry, time_us)


@given(agents, levels, logs(happened | held), gaps)
@settings(deadline=None, max_examples=40)
def test_the_fold_over_a_log_is_the_simulation_of_it(
    agent: Agent, start: Vector4, log: list[tuple[int, Entry]], rest: int
) -> None:
    scale = agent.dynamics.time_scale / MINUTE
    end = log[-1][0] + rest
    first = begin(agent, BIRTH, start)
    happening = [Event((t - BIRTH) * scale, e.signals) for t, e in log if isinstance(e, Happened)]
    edges = [(t, e.signals) for t, e in log if isinstance(e, Sustained)]
    ends = [*(t for t, _ in edges), end + MINUTE][1:]
    spans = [
        Span((t - BIRTH) * scale, (until - BIRTH) * scale, u)
        for (t, u), until in zip(edges, ends, strict=True)
        if any(u)
    ]
    (sample,) = simulate(
        agent.dynamics,
        [(end - BIRTH) * scale],
        initial=start,
        events=happening,
        sustained=spans,
        start_hour=local_hour(first),
    )
    lived = replay(first, log)[-1].at(end)
    mood = lived.flow[4:] or (0.0,) * 4
    assert distance(lived.levels + mood, sample.levels + sample.mood) <= 1e-9
    assert lived.minutes == pytest.approx((end - BIRTH) * scale)
    assert lived.version == len(log) + 1


@given(agents, levels, logs(entries), gaps, entries)
@settings(deadline=None, max_examples=40)
def test_reading_first_and_then_applying_is_applying(
    agent: Agent, start: Vector4, log: list[tuple[int, Entry]], wait: int, entry: Entry
) -> None:
    last = replay(begin(agent, BIRTH, start), log)[-1]
    time = log[-1][0] + wait
    direct = Continuation(last.moment).apply(entry, time)
    read = Continuation(last.at(time)).apply(entry, time)
    assert distance(read.flow, direct.flow) <= 1e-12
    assert distance(read.habituation, direct.habituation) <= 1e-12
    assert (read.version, read.time_us, read.sustained) == (direct.version, time, direct.sustained)
    assert read.minutes == pytest.approx(direct.minutes, abs=1e-9)


@given(agents, levels, logs(entries), st.lists(gaps, min_size=1, max_size=5), entries)
@settings(deadline=None, max_examples=30)
def test_what_was_read_leaves_no_trace_in_what_follows(
    agent: Agent, start: Vector4, log: list[tuple[int, Entry]], waits: list[int], entry: Entry
) -> None:
    first = begin(agent, BIRTH, start)
    unread = replay(first, log)[-1]
    read = replay(first, log)[-1]
    for wait in waits:
        read.at(log[-1][0] + wait)
    time = log[-1][0] + max(waits)
    assert read.apply(entry, time) == unread.apply(entry, time)


@given(agents, levels, logs(entries))
@settings(deadline=None, max_examples=30)
def test_levels_stay_in_the_cube_and_versions_count_the_entries(
    agent: Agent, start: Vector4, log: list[tuple[int, Entry]]
) -> None:
    path = replay(begin(agent, BIRTH, start), log)
    assert [continuation.moment.version for continuation in path] == list(range(1, len(log) + 2))
    for continuation in path:
        assert all(0 <= level <= 1 for level in continuation.moment.levels)
        assert all(0 <= h <= 1 for h in continuation.moment.habituation)


@given(levels, levels, logs(happened))
@settings(deadline=None, max_examples=40)
def test_two_lives_with_one_log_come_together(one: Vector4, other: Vector4, log: list[tuple[int, Entry]]) -> None:
    agent = Agent(Dynamics())
    a, b = (replay(begin(agent, BIRTH, start), log)[-1].moment for start in (one, other))
    rate = agent.dynamics.contraction_rate()
    assert distance(a.levels, b.levels) <= math.exp(-rate * a.minutes) * distance(one, other) + 1e-9


@given(agents, levels, logs(happened | skipped))
@settings(deadline=None, max_examples=40)
def test_the_label_is_what_hysteresis_holds_from_entry_to_entry(
    agent: Agent, start: Vector4, log: list[tuple[int, Entry]]
) -> None:
    """The engine skips the comparison where the levels cannot have moved far enough; the label is as if it had not."""
    path = replay(begin(agent, BIRTH, start), log)
    label = 0
    for continuation in path:
        moment = continuation.moment
        label = hold(label, moment.levels, agent.dynamics.baseline, agent.expression.label_hysteresis)
        assert moment.label == label


def test_a_life_begins_at_the_baseline_or_where_it_is_put() -> None:
    agent = Agent()
    assert begin(agent, BIRTH).levels == agent.dynamics.baseline
    assert begin(agent, BIRTH, START).levels == START
    assert begin(agent, BIRTH).version == 1
    with pytest.raises(InvalidInput, match=r"initial\.cortisol"):
        begin(agent, BIRTH, (0.5, 0.5, 1.5, 0.5))


def test_a_reading_at_the_time_of_an_event_is_the_state_after_it() -> None:
    moment = after(begin(Agent(), BIRTH), Happened(signal("threat")), BIRTH + MINUTE)
    assert Continuation(moment).at(BIRTH + MINUTE).levels == moment.levels
    assert moment.levels[2] > 0.58


def test_a_condition_with_a_duration_ends_by_itself() -> None:
    agent = Agent(Dynamics(time_scale=10.0))
    begun = after(begin(agent, BIRTH, START), Sustained(signal("threat", 0.1), 30.0), BIRTH)
    on = Continuation(begun).at(BIRTH + 2 * MINUTE)
    assert (on.sustained, on.sustained_minutes) == (signal("threat", 0.1), 10.0)
    off = Continuation(begun).at(BIRTH + 6 * MINUTE)
    assert (off.sustained, off.sustained_minutes) == (NO_SIGNALS, math.inf)
    (sample,) = simulate(agent.dynamics, [60.0], initial=START, sustained=[Span(0.0, 30.0, signal("threat", 0.1))])
    assert distance(off.levels, sample.levels) <= 1e-10
    assert Continuation(begun).at(BIRTH + 3 * MINUTE).sustained == NO_SIGNALS


def test_a_condition_without_a_duration_holds_until_it_is_replaced() -> None:
    begun = after(begin(Agent(), BIRTH), Sustained(signal("boredom", 0.5)), BIRTH)
    later = Continuation(begun).at(BIRTH + 10**7 * MINUTE)
    assert later.sustained == signal("boredom", 0.5)
    ended = after(later, Sustained(NO_SIGNALS, 5.0), later.time_us)
    assert (ended.sustained, ended.sustained_minutes) == (NO_SIGNALS, math.inf)


@given(dynamics(strength=2.5, circadian=False), number(1.0, 500.0))
@settings(deadline=None, max_examples=30)
def test_skipped_minutes_are_lived_like_any_others(parameters: Dynamics, minutes: float) -> None:
    begun = after(begin(Agent(parameters), BIRTH, START), Sustained(signal("threat", 0.05), 60.0), BIRTH)
    leapt = after(begun, Skipped(minutes), BIRTH)
    (sample,) = simulate(parameters, [minutes], initial=START, sustained=[Span(0.0, 60.0, signal("threat", 0.05))])
    assert leapt.time_us == BIRTH
    assert leapt.minutes == minutes
    assert distance(leapt.levels, sample.levels) <= 1e-10


def test_the_daily_rhythm_stands_while_minutes_are_skipped() -> None:
    agent = Agent(Dynamics(circadian=Circadian(peak_hour=6.8), time_scale=1.0))
    leapt = after(begin(agent, BIRTH), Skipped(1e6), BIRTH)
    assert local_hour(leapt) == local_hour(begin(agent, BIRTH))
    again = after(leapt, Skipped(720.0), BIRTH)
    assert distance(again.levels, leapt.levels) < 1e-10
    assert distance(Continuation(leapt).at(BIRTH + 720 * MINUTE).levels, leapt.levels) > 1e-2


def test_a_frozen_agent_moves_by_events_and_skips_only() -> None:
    frozen = begin(Agent(Dynamics(time_scale=0.0, circadian=Circadian())), BIRTH, START)
    assert Continuation(frozen).at(BIRTH + 10**9).levels == START
    assert after(frozen, Skipped(60.0), BIRTH).levels != START
    assert after(frozen, Happened(signal("reward")), BIRTH + 5).levels[0] > START[0]


def test_a_new_configuration_holds_from_its_entry_on() -> None:
    plain, moody = Agent(), Agent(Dynamics(baseline=(0.6, 0.5, 0.4, 0.4), mood=Mood(), habituation=Habituation()))
    lived = after(begin(plain, BIRTH, START), Happened(signal("loss")), BIRTH + MINUTE)
    changed = after(lived, Configured(moody), BIRTH + 2 * MINUTE)
    assert changed.levels == Continuation(lived).at(BIRTH + 2 * MINUTE).levels
    assert changed.flow[4:] == (0.0,) * 4
    assert distance(after(changed, Skipped(1e6), changed.time_us).levels, moody.dynamics.baseline) < 1e-9


def test_mood_and_habituation_end_with_the_configuration_that_had_them() -> None:
    moody = Agent(Dynamics(mood=Mood(), habituation=Habituation()))
    lived = after(begin(moody, BIRTH), Happened(signal("praise")), BIRTH)
    lived = after(lived, Skipped(60.0), BIRTH)
    assert max(map(abs, lived.flow[4:])) > 1e-3
    assert max(lived.habituation) > 0.1
    kept = after(lived, Configured(Agent(replace(moody.dynamics, time_scale=1.0))), BIRTH)
    assert (kept.flow, kept.habituation) == (lived.flow, lived.habituation)
    changed = after(lived, Configured(Agent()), BIRTH)
    assert (len(changed.flow), changed.habituation) == (4, NO_SIGNALS)


@pytest.mark.parametrize("target", [None, (0.1, 0.2, 0.3, 0.4)])
def test_a_reset_ends_mood_habituation_and_conditions_but_not_the_log(target: Vector4 | None) -> None:
    moody = Agent(Dynamics(mood=Mood(), habituation=Habituation()))
    lived = after(begin(moody, BIRTH), Happened(signal("praise")), BIRTH)
    lived = after(lived, Sustained(signal("threat", 0.1)), BIRTH)
    fresh = after(lived, Restored(target), BIRTH + MINUTE)
    assert fresh.levels == (target or moody.dynamics.baseline)
    assert fresh.flow[4:] == (0.0,) * 4
    assert (fresh.habituation, fresh.sustained) == (NO_SIGNALS, NO_SIGNALS)
    assert (fresh.version, fresh.minutes) == (4, 10.0)


@pytest.mark.parametrize("entry", [Happened(signal("reward")), Skipped(1.0), Restored(), Sustained(NO_SIGNALS)])
def test_time_never_goes_backwards(entry: Entry) -> None:
    moment = begin(Agent(), BIRTH)
    with pytest.raises(TimeReversed, match=r"0\.000001 s before"):
        Continuation(moment).apply(entry, BIRTH - 1)
    with pytest.raises(TimeReversed):
        Continuation(moment).at(BIRTH - 1)


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan, math.inf])
def test_a_signal_outside_its_range_is_refused_by_name(bad: float) -> None:
    with pytest.raises(InvalidInput, match=r"event\.threat"):
        Happened(signal("threat", bad))
    with pytest.raises(InvalidInput, match=r"sustained\.signals\.threat"):
        Sustained(signal("threat", bad))


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_duration_that_is_not_positive_is_refused(bad: float) -> None:
    with pytest.raises(InvalidInput, match="duration_minutes"):
        Sustained(signal("threat"), bad)
    with pytest.raises(InvalidInput, match="skip_minutes"):
        Skipped(bad)


def test_simulated_times_out_of_order_and_empty_spans_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"times\[1\]"):
        simulate(Dynamics(), [2.0, 1.0])
    with pytest.raises(InvalidInput, match=r"sustained\[0\]"):
        simulate(Dynamics(), [2.0], sustained=[Span(3.0, 3.0, NO_SIGNALS)])
