"""No configuration, span or simulation that is let in takes for ever to integrate: what would is refused first."""

import math
from collections.abc import Callable

import pytest

from emotional_ai_service.core.configuration import Circadian, Dynamics, Mood
from emotional_ai_service.core.dynamics import NO_INPUTS, Model
from emotional_ai_service.core.errors import InvalidConfiguration, InvalidInput
from emotional_ai_service.core.expression import ExpressionRule
from emotional_ai_service.core.flow import Trajectory, check_speeds
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_service.core.replay import Explanation, Timed, explain, replay, sample, spread
from emotional_ai_service.core.simulation import Event, Span, simulate
from emotional_ai_service.core.timeline import Agent, Happened, Skipped, Sustained, begin
from emotional_ai_service.wire import agent_from, config_to

WEEK = 7 * 24 * 60.0
YEAR_US = 365 * 86_400_000_000
THREAT = tuple(0.9 if name == "threat" else 0.0 for name in SIGNALS)
PRAISE = tuple(1.0 if name == "praise" else 0.0 for name in SIGNALS)


@pytest.mark.parametrize(
    ("dynamics", "field"),
    [
        (Dynamics(half_life_minutes=(1e5, 0.1, 0.1, 0.1)), "half_life_minutes"),
        (Dynamics(half_life_minutes=(1e5, 1e5, 1e5, 1e5), tau_u_minutes=0.01), "half_life_minutes"),
        (Dynamics(circadian=Circadian(), time_scale=1e-6), "time_scale"),
        (Dynamics(circadian=Circadian(), time_scale=5e-324), "time_scale"),
    ],
    ids=["far apart", "fast signals", "a day in a moment", "a day in no time"],
)
def test_speeds_too_far_apart_to_be_integrated_are_refused(dynamics: Dynamics, field: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        check_speeds(Model(dynamics))
    assert refused.value.field == field
    with pytest.raises(InvalidConfiguration):
        simulate(dynamics, [1e7])


@pytest.mark.parametrize(
    "dynamics",
    [
        Dynamics(),
        Dynamics(half_life_minutes=(90, 180, 60, WEEK)),
        Dynamics(half_life_minutes=(1e5, 1e5, 1e5, 1e5), tau_u_minutes=1e3),
        Dynamics(circadian=Circadian(), time_scale=1),
        Dynamics(circadian=Circadian(), time_scale=0),
        Dynamics(time_scale=5e-324),
    ],
)
def test_speeds_of_minutes_to_weeks_are_taken(dynamics: Dynamics) -> None:
    check_speeds(Model(dynamics))


def rhythmical(time_scale: float = 1) -> Agent:
    return Agent(Dynamics(circadian=Circadian(), time_scale=time_scale), ExpressionRule())


def total(told: Explanation) -> list[float]:
    """What moved each chemical, all parts together, less how far it moved."""
    moved = [after - before for before, after in zip(told.before.levels, told.after.levels, strict=True)]
    parts = zip(told.homeostasis, *told.sustained.values(), strict=True)
    return [sum(part) - change for part, change in zip(parts, moved, strict=True)]


def test_a_history_of_an_age_is_refused_before_it_is_integrated() -> None:
    path = replay(begin(rhythmical(1e4), 0), [(1, Sustained(THREAT, math.inf))])
    with pytest.raises(InvalidInput, match="fewer points"):
        sample(path, spread(0, YEAR_US, 10_000), 10_000)
    assert len(sample(path, spread(0, YEAR_US // 10_000, 50))) == 50


def test_an_explanation_of_an_age_is_refused_before_it_is_integrated() -> None:
    entries = [(1, Sustained(THREAT, math.inf))]
    path = replay(begin(rhythmical(1e4), 0), entries)
    with pytest.raises(InvalidInput, match="shorter span"):
        explain(path, entries, 0, YEAR_US)


@pytest.mark.parametrize("years", [1, 5000])
def test_an_explanation_of_years_of_equal_days_takes_no_longer_than_one_of_days(years: int) -> None:
    entries = [(1, Sustained(THREAT, math.inf))]
    path = replay(begin(rhythmical(), 0), entries)
    told = explain(path, entries, 0, years * YEAR_US, most=2_000)
    assert total(told) == pytest.approx([0.0] * 4, abs=1e-12 * years * YEAR_US / 60e6)


def test_an_explanation_of_many_long_skips_is_refused_once_it_is_too_long() -> None:
    agent = Agent(Dynamics(), ExpressionRule())
    entries: list[Timed] = [(1, Sustained(THREAT, math.inf))]
    for number in range(2, 202, 2):
        entries += [(number, Happened(PRAISE)), (number + 1, Skipped(1e7))]
    path = replay(begin(agent, 0), entries)
    with pytest.raises(InvalidInput, match="shorter span"):
        explain(path, entries, 0, 1000, 10_000)


def test_a_skip_beside_a_daily_rhythm_is_explained_whole_while_the_clock_stands() -> None:
    entries = [(1, Sustained(THREAT, math.inf)), (2, Skipped(1e7))]
    path = replay(begin(rhythmical(), 0), entries)
    assert total(explain(path, entries, 0, 3)) == pytest.approx([0.0] * 4, abs=1e-9)


def test_an_explanation_of_very_many_events_beside_what_is_sustained_is_taken() -> None:
    agent = Agent(Dynamics(), ExpressionRule())
    entries: list[Timed] = [
        (1, Sustained(THREAT, math.inf)),
        *((number, Happened(PRAISE)) for number in range(2, 5000)),
    ]
    told = explain(replay(begin(agent, 0), entries), entries, 0, 6000, most=1_000)
    assert len(told.entries) == 4998


def test_a_simulation_of_an_age_is_refused_before_it_is_integrated() -> None:
    with pytest.raises(InvalidInput, match="simulate less"):
        simulate(Dynamics(circadian=Circadian(), time_scale=1e4), [index * 1e3 for index in range(10_000)], most=10_000)


FINE = (0.5, 0.5, 0.5, 0.5)
BAD = (*THREAT[:6], math.nan, *THREAT[7:])
IMPOSSIBLE: dict[str, tuple[Callable[[], object], str, str]] = {
    "no number": (lambda: simulate(Dynamics(), [1.0], initial=(math.nan, *FINE[1:])), "initial.dopamine", "[0, 1]"),
    "beyond the cube": (lambda: simulate(Dynamics(), [1.0], initial=(7.0, *FINE[1:])), "initial.dopamine", "[0, 1]"),
    "three levels": (lambda: simulate(Dynamics(), [1.0], initial=FINE[1:]), "initial", "4 numbers"),  # type: ignore[arg-type]
    "mood": (
        lambda: simulate(Dynamics(mood=Mood()), [1.0], initial_mood=(math.inf, *FINE[1:])),
        "initial_mood.dopamine",
        "finite",
    ),
    "hour": (lambda: simulate(Dynamics(circadian=Circadian()), [9.0], start_hour=math.nan), "start_hour", "finite"),
    "time": (lambda: simulate(Dynamics(), [0.0, math.nan]), "times[1]", ">= 0"),
    "time without end": (lambda: simulate(Dynamics(), [math.inf]), "times[0]", "finite"),
    "event": (lambda: simulate(Dynamics(), [9.0], events=[Event(1.0, BAD)]), "events[0].signals.threat", "finite"),
    "time of an event": (lambda: simulate(Dynamics(), [9.0], events=[Event(-1.0, THREAT)]), "events[0].time", ">= 0"),
    "few signals": (
        lambda: simulate(Dynamics(), [9.0], events=[Event(1.0, (0.5,))]),
        "events[0].signals",
        "12 numbers",
    ),
    "span": (lambda: simulate(Dynamics(), [9.0], sustained=[Span(0, 5, BAD)]), "sustained[0].signals.threat", "finite"),
    "end of a span": (
        lambda: simulate(Dynamics(), [9.0], sustained=[Span(0, math.nan, THREAT)]),
        "sustained[0].end",
        ">=",
    ),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
@pytest.mark.timeout(20)
def test_a_simulation_of_what_cannot_be_is_refused_by_field(what: str) -> None:
    call, field, allowed = IMPOSSIBLE[what]
    with pytest.raises(InvalidInput) as refused:
        call()
    assert refused.value.field == field
    assert allowed in refused.value.description


@pytest.mark.parametrize("level", [math.nan, math.inf, 7.0, -1.0])
@pytest.mark.timeout(20)
def test_from_where_no_step_is_accurate_none_is_tried_for_ever(level: float) -> None:
    with pytest.raises(ArithmeticError, match="accurate"):
        Trajectory(Model(Dynamics()), (level, *FINE[1:]), NO_INPUTS).at(50.0)


def test_a_session_from_before_the_bounds_is_still_read() -> None:
    stiff = Agent(Dynamics(half_life_minutes=(1e5, 0.1, 0.1, 0.1)), ExpressionRule())
    with pytest.raises(InvalidConfiguration):
        check_speeds(stiff.model)
    config = config_to(stiff)
    with pytest.raises(InvalidConfiguration, match="half_life_minutes"):
        agent_from(config, new=True)
    assert begin(agent_from(config), 0).agent == stiff
