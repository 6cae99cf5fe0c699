"""No configuration, span or simulation that is let in takes for ever to integrate: what would is refused first."""

import math

import pytest

from emotional_ai_service.core.configuration import Circadian, Dynamics
from emotional_ai_service.core.dynamics import Model
from emotional_ai_service.core.errors import InvalidConfiguration, InvalidInput
from emotional_ai_service.core.expression import ExpressionRule
from emotional_ai_service.core.flow import check_speeds
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_service.core.replay import Timed, explain, replay, sample, spread
from emotional_ai_service.core.simulation import simulate
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


def rhythmical() -> Agent:
    return Agent(Dynamics(circadian=Circadian(), time_scale=1), ExpressionRule())


def test_a_history_of_an_age_is_refused_before_it_is_integrated() -> None:
    path = replay(begin(rhythmical(), 0), [(1, Sustained(THREAT, math.inf))])
    with pytest.raises(InvalidInput, match="fewer points"):
        sample(path, spread(0, 5000 * YEAR_US, 10_000), 10_000)
    assert len(sample(path, spread(0, YEAR_US // 50, 50))) == 50


def test_an_explanation_of_an_age_is_refused_before_it_is_integrated() -> None:
    entries = [(1, Sustained(THREAT, math.inf))]
    path = replay(begin(rhythmical(), 0), entries)
    with pytest.raises(InvalidInput, match="shorter span"):
        explain(path, entries, 0, 5000 * YEAR_US)


def test_an_explanation_of_many_long_skips_is_refused_once_it_is_too_long() -> None:
    agent = Agent(Dynamics(), ExpressionRule())
    entries: list[Timed] = [(1, Sustained(THREAT, math.inf))]
    for number in range(2, 202, 2):
        entries += [(number, Happened(PRAISE)), (number + 1, Skipped(1e7))]
    path = replay(begin(agent, 0), entries)
    with pytest.raises(InvalidInput, match="shorter span"):
        explain(path, entries, 0, 1000, 100_000)


def test_a_skip_beside_a_daily_rhythm_is_explained_whole_while_the_clock_stands() -> None:
    entries = [(1, Sustained(THREAT, math.inf)), (2, Skipped(1e7))]
    path = replay(begin(rhythmical(), 0), entries)
    told = explain(path, entries, 0, 3)
    moved = [after - before for before, after in zip(told.before.levels, told.after.levels, strict=True)]
    parts = [sum(part) for part in zip(told.homeostasis, *told.sustained.values(), strict=True)]
    assert parts == pytest.approx(moved, abs=1e-9)


def test_a_simulation_of_an_age_is_refused_before_it_is_integrated() -> None:
    with pytest.raises(InvalidInput, match="simulate less"):
        simulate(Dynamics(circadian=Circadian(), time_scale=1), [index * 1e3 for index in range(10_000)], most=10_000)


def test_a_session_from_before_the_bounds_is_still_read() -> None:
    stiff = Agent(Dynamics(half_life_minutes=(1e5, 0.1, 0.1, 0.1)), ExpressionRule())
    with pytest.raises(InvalidConfiguration):
        check_speeds(stiff.model)
    config = config_to(stiff)
    with pytest.raises(InvalidConfiguration, match="half_life_minutes"):
        agent_from(config, new=True)
    assert begin(agent_from(config), 0).agent == stiff
