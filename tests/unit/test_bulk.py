"""Many agents at once live as each of them would alone."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from core_strategies import dynamics, number, signals
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai_service.core import bulk
from emotional_ai_service.core.bulk import Population, advance, apply
from emotional_ai_service.core.configuration import Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.dynamics import Inputs, Model
from emotional_ai_service.core.errors import InvalidConfiguration, InvalidInput
from emotional_ai_service.core.flow import Trajectory
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS, SignalVector
from emotional_ai_service.core.simulation import Event, simulate

Array = npt.NDArray[np.float64]
TOLERANCE = 1e-9


def scattered(parameters: Dynamics, size: int, seed: int = 0) -> Population:
    """A population of `size` agents somewhere in the cube."""
    population = Population.at_rest(parameters, size)
    random = np.random.default_rng(seed)
    population.levels[:] = random.random((4, size))
    population.mood[:] = random.normal(size=population.mood.shape) * 0.3
    return population


def alone(parameters: Dynamics, start: Array, acting: Inputs, minutes: float) -> Array:
    return np.array(Trajectory(Model(parameters), tuple(start.tolist()), acting).at(minutes))


@given(
    dynamics(strength=2.5),
    st.integers(0, 1000),
    st.just(NO_SIGNALS) | signals(0.05),
    number(0.0, 24.0),
    st.sampled_from((0.0, 1e-4, 0.2, 30.0)) | number(0.0, 150.0),
)
@settings(deadline=None, max_examples=40)
def test_agents_in_bulk_flow_as_each_would_alone(
    parameters: Dynamics, seed: int, sustained: SignalVector, hour: float, minutes: float
) -> None:
    population = scattered(parameters, 5, seed)
    before = population.state.copy()
    advance(population, minutes, sustained=sustained, hour=hour)
    acting = Inputs(sustained, hour, 1 / (60 * parameters.time_scale))
    for agent in range(5):
        expected = alone(parameters, before[:, agent], acting, minutes)
        assert np.abs(population.state[:, agent] - expected).max() <= TOLERANCE


@given(dynamics(), st.integers(0, 1000), signals(1.0), signals(1.0))
@settings(deadline=None, max_examples=40)
def test_an_event_moves_the_chosen_agents_only(
    parameters: Dynamics, seed: int, one: SignalVector, other: SignalVector
) -> None:
    population = scattered(parameters, 6, seed)
    before = population.state.copy()
    apply(population, [4, 1], np.array([one, other]).T)
    model = Model(parameters)
    for agent, happening in ((4, one), (1, other)):
        expected = model.jump(tuple(before[:4, agent].tolist()), happening)
        assert population.levels[:, agent] == pytest.approx(expected, abs=1e-14)
    untouched = [0, 2, 3, 5]
    assert np.array_equal(population.state[:, untouched], before[:, untouched])


def test_each_agent_may_have_its_own_baseline_half_lives_hour_signals_and_span() -> None:
    random = np.random.default_rng(3)
    size = 7
    baseline, half_life = random.uniform(0.2, 0.8, (4, size)), random.uniform(5, 200, (4, size))
    common = Dynamics(mood=Mood(), circadian=Circadian())
    population = Population.at_rest(common, size, baseline=baseline, half_life_minutes=half_life)
    population.levels[:] = start = random.random((4, size))
    minutes, hour = random.uniform(0, 60, size), random.uniform(0, 24, size)
    sustained = random.random((12, size)) * 0.02
    advance(population, minutes, sustained=sustained, hour=hour)
    for agent in range(size):
        own = Dynamics(
            baseline=tuple(baseline[:, agent].tolist()),
            half_life_minutes=tuple(half_life[:, agent].tolist()),
            mood=Mood(),
            circadian=Circadian(),
        )
        acting = Inputs(tuple(sustained[:, agent].tolist()), float(hour[agent]), 1 / 600)
        expected = alone(own, np.append(start[:, agent], [0.0] * 4), acting, float(minutes[agent]))
        assert np.abs(population.state[:, agent] - expected).max() <= TOLERANCE


def test_a_population_of_several_chunks_is_integrated_to_its_last_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 4)
    population = scattered(Dynamics(), 10)
    before = population.state.copy()
    advance(population, 12.0)
    for agent in (0, 3, 4, 7, 8, 9):
        assert (
            np.abs(population.state[:, agent] - alone(Dynamics(), before[:, agent], Inputs(), 12.0)).max() <= TOLERANCE
        )


def test_a_conversation_in_bulk_is_the_simulation_of_it() -> None:
    parameters = Dynamics(habituation=Habituation(), mood=Mood())
    praise = tuple(0.8 if name == "praise" else 0.0 for name in SIGNALS)
    population = Population.at_rest(parameters, 3)
    for _ in range(5):
        apply(population, [0, 2], praise)
        advance(population, 2.0)
    (sample,) = simulate(parameters, [10.0], events=[Event(2.0 * turn, praise) for turn in range(5)])
    for agent in (0, 2):
        assert np.abs(population.state[:, agent] - np.array(sample.levels + sample.mood)).max() <= TOLERANCE
    assert population.levels[:, 1] == pytest.approx(parameters.baseline, abs=1e-15)


@pytest.mark.parametrize("circadian", [None, Circadian()])
def test_a_span_beyond_memory_ends_where_the_scalar_core_ends(circadian: Circadian | None) -> None:
    parameters = Dynamics(half_life_minutes=(10.0, 20.0, 15.0, 20.0), circadian=circadian)
    population = scattered(parameters, 3)
    before = population.state.copy()
    spans = np.array([1e7, 50.0, 1e5])
    advance(population, spans, hour=3.0)
    for agent, minutes in enumerate(spans):
        expected = alone(parameters, before[:, agent], Inputs(NO_SIGNALS, 3.0, 1 / 600), float(minutes))
        assert np.abs(population.state[:, agent] - expected).max() <= TOLERANCE


def test_leaving_out_the_sustained_signals_is_noticed() -> None:
    idle, driven = scattered(Dynamics(), 3), scattered(Dynamics(), 3)
    advance(idle, 10.0)
    advance(driven, 10.0, sustained=(0.01,) * 12)
    assert np.abs(idle.levels - driven.levels).max() > 1e-3


@pytest.mark.parametrize(
    ("minutes", "sustained", "hour", "path"),
    [
        (-1.0, NO_SIGNALS, 0.0, "minutes"),
        (math.nan, NO_SIGNALS, 0.0, "minutes"),
        ([1.0, 2.0], NO_SIGNALS, 0.0, "minutes"),
        (1.0, (0.1,) * 11, 0.0, "sustained"),
        (1.0, (-0.1,) * 12, 0.0, "sustained"),
        (1.0, NO_SIGNALS, math.inf, "hour"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused_by_name(
    minutes: float | list[float], sustained: tuple[float, ...], hour: float, path: str
) -> None:
    population = scattered(Dynamics(), 3)
    before = population.state.copy()
    with pytest.raises(InvalidInput) as refusal:
        advance(population, minutes, sustained=sustained, hour=hour)
    assert refusal.value.field == path
    assert np.array_equal(population.state, before)


@pytest.mark.parametrize(
    ("agents", "happening", "path"),
    [
        ([0, 0], NO_SIGNALS, "agents"),
        ([3], NO_SIGNALS, "agents"),
        ([-1], NO_SIGNALS, "agents"),
        ([[0]], NO_SIGNALS, "agents"),
        ([0], (math.nan,) * 12, "signals"),
        ([0, 1], np.zeros((12, 3)), "signals"),
    ],
)
def test_an_event_for_the_wrong_agents_is_refused_by_name(
    agents: list[int], happening: tuple[float, ...], path: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        apply(scattered(Dynamics(), 3), agents, happening)
    assert refusal.value.field == path


def test_a_population_out_of_range_is_refused_by_name() -> None:
    with pytest.raises(InvalidConfiguration, match="baseline"):
        Population.at_rest(Dynamics(), 2, baseline=[0.5, 0.5, 1.0, 0.5])
    with pytest.raises(InvalidConfiguration, match="half_life_minutes"):
        Population.at_rest(Dynamics(), 2, half_life_minutes=[0.0, 1.0, 1.0, 1.0])
    with pytest.raises(InvalidInput, match="shape"):
        Population.at_rest(Dynamics(), 2, baseline=np.full((4, 3), 0.5))
    with pytest.raises(InvalidInput, match="size"):
        Population.at_rest(Dynamics(), 0)
