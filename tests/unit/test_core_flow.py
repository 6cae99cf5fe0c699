"""The theorems of the dynamics as properties: invariance, one equilibrium, contraction, and readings that leave no trace."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from core_strategies import distance, dynamics, levels, maybe_signals, number, signals, vector
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai_service.core.configuration import Circadian, Dynamics, Mood
from emotional_ai_service.core.dynamics import NO_INPUTS, Inputs, Model
from emotional_ai_service.core.flow import (
    CYCLES,
    CYCLES_KEPT,
    FORGOTTEN,
    STABLE,
    Trajectory,
    exposure,
    steps_of_exposure,
)
from emotional_ai_service.core.integration import Field, State
from emotional_ai_service.core.names import NO_SIGNALS, SignalVector, Vector4

CORNER: Vector4 = (1.0, 0.0, 1.0, 0.0)
SPANS = st.sampled_from((1e-7, 1e-3, 0.1)) | number(0.0, 2000.0) | st.just(1e7)
"""Simulated minutes, from under a millisecond to nineteen years."""

inputs = st.builds(Inputs, maybe_signals(0.05), number(0.0, 24.0), st.sampled_from((0.0, 1 / 60, 1 / 600)))


def start_of(parameters: Dynamics, x: Vector4, z: Vector4) -> State:
    return x + (z if parameters.mood else ())


def parted(model: Model, start: State, acting: Inputs, minutes: float) -> tuple[State, Inputs]:
    """Where a trajectory is after so many minutes, and what acts from there on."""
    later = replace(acting, hour=acting.hour + minutes * acting.hours_per_minute)
    return Trajectory(model, start, acting).at(minutes), later


class Counted(Model):
    """A model that counts how often its field is evaluated."""

    __slots__ = ("evaluations",)

    def __init__(self, parameters: Dynamics) -> None:
        self.evaluations = 0
        super().__init__(parameters)

    def field(self, inputs: Inputs) -> Field:
        inner = super().field(inputs)

        def counted(t: float, y: State) -> State:
            self.evaluations += 1
            return inner(t, y)

        return counted


@given(dynamics(strength=2.0), levels, vector(-1.0, 1.0), inputs, SPANS)
@settings(deadline=None, max_examples=30)
def test_the_flow_never_leaves_the_cube(
    parameters: Dynamics, x: Vector4, z: Vector4, acting: Inputs, minutes: float
) -> None:
    after = Trajectory(Model(parameters), start_of(parameters, x, z), acting).at(minutes)
    assert len(after) == (8 if parameters.mood else 4)
    assert all(0 <= level <= 1 for level in after[:4])
    assert all(map(math.isfinite, after))


@given(dynamics(), levels, maybe_signals(0.5), st.integers(0, 3), st.sampled_from((0.0, 1.0)))
@settings(deadline=None, max_examples=100)
def test_at_a_face_of_the_cube_the_flow_points_inwards(
    parameters: Dynamics, x: Vector4, sustained: SignalVector, chemical: int, face: float
) -> None:
    y = list(x)
    y[chemical] = face
    start = start_of(parameters, (y[0], y[1], y[2], y[3]), (0.0, 0.0, 0.0, 0.0))
    slope = Model(parameters).field(Inputs(sustained))(0.0, start)[chemical]
    assert slope >= 0 if face == 0 else slope <= 0


@given(dynamics(), levels, signals(1.0))
@settings(deadline=None)
def test_an_event_never_leaves_the_cube(parameters: Dynamics, x: Vector4, happening: SignalVector) -> None:
    assert all(0 <= level <= 1 for level in Model(parameters).jump(x, happening))


def test_an_event_of_the_largest_signals_saturates_inside_the_cube() -> None:
    model = Model(Dynamics(gains=((10.0, -10.0, 10.0, -10.0),) * 12))
    assert model.jump((0.0, 1.0, 0.3, 0.7), (1.0,) * 12) == pytest.approx((1.0, 0.0, 1.0, 0.0), abs=1e-12)


@given(dynamics(circadian=False), st.sampled_from((1e-6, 0.1, 33.0, 1e4, 1e7)))
@settings(deadline=None, max_examples=60)
def test_the_baseline_is_an_equilibrium_exactly(parameters: Dynamics, minutes: float) -> None:
    model = Model(parameters)
    assert Trajectory(model, model.rest, NO_INPUTS).at(minutes) == model.rest
    assert max(map(abs, model.field(NO_INPUTS)(0.0, model.rest))) < 1e-15


@given(dynamics(circadian=False), levels, vector(-1.0, 1.0))
@settings(deadline=None, max_examples=40)
def test_every_start_comes_to_rest_at_the_baseline(parameters: Dynamics, x: Vector4, z: Vector4) -> None:
    model = Model(parameters)
    after = Trajectory(model, start_of(parameters, x, z), NO_INPUTS).at(1e7)
    assert distance(after, model.rest) < 1e-9


@given(dynamics(strength=3.5, mood=False), levels, levels, inputs, number(0.0, 800.0))
@settings(deadline=None, max_examples=60)
def test_two_lives_under_one_input_approach_each_other_at_the_contraction_rate(
    parameters: Dynamics, x: Vector4, y: Vector4, acting: Inputs, minutes: float
) -> None:
    model = Model(parameters)
    apart = distance(Trajectory(model, x, acting).at(minutes), Trajectory(model, y, acting).at(minutes))
    assert apart <= math.exp(-parameters.contraction_rate() * minutes) * distance(x, y) + 1e-9


@given(dynamics(strength=2.5, mood=True), levels, levels, number(0.0, 2000.0))
@settings(deadline=None, max_examples=40)
def test_two_lives_with_mood_approach_each_other_in_the_weighted_norm(
    parameters: Dynamics, x: Vector4, y: Vector4, minutes: float
) -> None:
    """Both start at mood zero, so the distance of the levels is the weighted distance at the start."""
    model = Model(parameters)
    zero = (0.0, 0.0, 0.0, 0.0)
    a, b = (Trajectory(model, start + zero, NO_INPUTS).at(minutes)[:4] for start in (x, y))
    assert distance(a, b) <= math.exp(-parameters.contraction_rate() * minutes) * distance(x, y) + 1e-9


@pytest.mark.parametrize("kappa", [0.0, 1e-9, 1.0])
def test_a_mood_that_no_chemical_feeds_is_not_forgotten_early(kappa: float) -> None:
    """It decays by itself, slower than the chemicals may; the levels follow it."""
    model = Model(Dynamics(mood=Mood(kappa=(kappa, 0.0, 0.0, 0.0), tau_minutes=1e5)))
    start = (0.5, 0.6, 0.3, 0.5, 0.0, 2.0, 2.0, 2.0)
    after = Trajectory(model, start, NO_INPUTS).at(5e4)
    assert after[5:] == pytest.approx((2.0 * math.exp(-0.5),) * 3, abs=1e-9)
    assert after[1] > 0.7


def test_contraction_is_not_claimed_faster_than_it_is() -> None:
    """The slowest chemical of an uncoupled agent decays at exactly the stated rate."""
    zero = (0.0, 0.0, 0.0, 0.0)
    parameters = Dynamics(coupling=(zero, zero, zero, zero))
    model = Model(parameters)
    x, y = (0.5, 0.0, 0.3, 0.5), (0.5, 1.0, 0.3, 0.5)
    apart = distance(Trajectory(model, x, NO_INPUTS).at(240.0), Trajectory(model, y, NO_INPUTS).at(240.0))
    assert apart == pytest.approx(0.25, abs=1e-10)
    assert math.exp(-parameters.contraction_rate() * 240.0) == pytest.approx(0.25, abs=1e-12)


@given(dynamics(), levels, levels, signals(1.0))
@settings(deadline=None)
def test_an_event_never_takes_two_states_further_apart(
    parameters: Dynamics, x: Vector4, y: Vector4, happening: SignalVector
) -> None:
    model = Model(parameters)
    assert distance(model.jump(x, happening), model.jump(y, happening)) <= distance(x, y) + 1e-15


@given(dynamics(), levels, signals(1.0))
@settings(deadline=None)
def test_the_contributions_of_the_signals_add_up_to_the_jump(
    parameters: Dynamics, x: Vector4, happening: SignalVector
) -> None:
    model = Model(parameters)
    parts = model.jump_contributions(x, happening)
    assert set(parts) == {index for index, a in enumerate(happening) if a}
    total = tuple(math.fsum(part[i] for part in parts.values()) for i in range(4))
    change = tuple(after - before for after, before in zip(model.jump(x, happening), x, strict=True))
    assert distance(total, change) <= 1e-15


@given(dynamics(strength=2.5), levels, vector(-1.0, 1.0), inputs, st.lists(number(0.0, 3000.0), min_size=1, max_size=8))
@settings(deadline=None, max_examples=40)
def test_a_reading_is_the_same_whatever_was_read_before(
    parameters: Dynamics, x: Vector4, z: Vector4, acting: Inputs, times: list[float]
) -> None:
    model, start = Model(parameters), start_of(parameters, x, z)
    read = Trajectory(model, start, acting)
    assert [read.at(t) for t in times] == [Trajectory(model, start, acting).at(t) for t in times]


def test_a_reading_is_the_same_where_a_step_is_tried_again_smaller() -> None:
    """This life rejects steps at minutes 93, 107 and 562; a reading there must not depend on whether that was found out."""
    model = Model(Dynamics(circadian=Circadian(), time_scale=1.0))
    acting = Inputs(NO_SIGNALS, 3.0, 1 / 60)
    whole = Trajectory(model, model.rest, acting)
    whole.at(700.0)
    for minute in range(85, 125):
        assert whole.at(minute) == Trajectory(model, model.rest, acting).at(minute)


@given(dynamics(strength=2.5), levels, vector(-1.0, 1.0), inputs, number(0.0, 1500.0), number(0.0, 1.0))
@settings(deadline=None, max_examples=60)
def test_a_span_may_be_lived_in_two_parts(
    parameters: Dynamics, x: Vector4, z: Vector4, acting: Inputs, minutes: float, share: float
) -> None:
    model, start = Model(parameters), start_of(parameters, x, z)
    first = minutes * share
    halfway, later = parted(model, start, acting, first)
    direct = Trajectory(model, start, acting).at(minutes)
    assert distance(Trajectory(model, halfway, later).at(minutes - first), direct) <= 1e-10


def test_living_the_second_part_at_the_wrong_hour_is_noticed() -> None:
    model = Model(Dynamics(circadian=Circadian()))
    acting = Inputs(NO_SIGNALS, 6.0, 1 / 60)
    halfway = Trajectory(model, CORNER, acting).at(300.0)
    direct = Trajectory(model, CORNER, acting).at(600.0)
    assert distance(Trajectory(model, halfway, acting).at(300.0), direct) > 1e-3


def evaluations(parameters: Dynamics, acting: Inputs, minutes: float) -> int:
    model = Counted(parameters)
    Trajectory(model, start_of(parameters, CORNER, (0.0,) * 4), acting).at(minutes)
    return model.evaluations


VARIANTS = {
    "plain": (Dynamics(), NO_INPUTS),
    "mood": (Dynamics(mood=Mood()), NO_INPUTS),
    "circadian": (Dynamics(circadian=Circadian()), Inputs(NO_SIGNALS, 3.0, 1 / 600)),
    "circadian mood": (Dynamics(circadian=Circadian(), mood=Mood()), Inputs(NO_SIGNALS, 3.0, 1 / 600)),
    "sustained": (Dynamics(), Inputs((0.05,) * 12)),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("minutes", [1.0, 60.0, 1440.0, 43_200.0, 1e6, 1e7])
def test_a_long_idle_span_costs_a_bounded_number_of_evaluations(variant: str, minutes: float) -> None:
    """Four times the steps that stability alone allows over two memories of the flow, thirteen evaluations each.

    With a daily rhythm one memory and a day of at most two; from then on a day is known.
    """
    parameters, acting = VARIANTS[variant]
    rate = Model(parameters).fastest_rate(acting.sustained)
    steps = FORGOTTEN / parameters.contraction_rate() * rate / STABLE
    memories = 3 if parameters.circadian else 2
    assert evaluations(parameters, acting, minutes) <= 4 * 13 * memories * steps + 400


@given(
    dynamics(strength=2.5, circadian=True),
    levels,
    vector(-1.0, 1.0),
    maybe_signals(0.05),
    number(0.0, 24.0),
    number(1.0, 3.0),
    st.integers(1, 20),
)
@settings(max_examples=25)
def test_where_a_day_is_known_a_reading_is_what_integration_from_the_start_gives(
    parameters: Dynamics, x: Vector4, z: Vector4, sustained: SignalVector, hour: float, memories: float, days: int
) -> None:
    model = Model(parameters)
    minutes = memories * FORGOTTEN / model.contraction
    acting = Inputs(sustained, hour, 24 * days / minutes)
    start = start_of(parameters, x, z)
    direct = Trajectory(model, start, acting).through(minutes)
    assert distance(Trajectory(model, start, acting).at(minutes), direct) <= 1e-9


def test_agents_alike_share_their_day_and_read_it_in_one_step() -> None:
    parameters, acting = VARIANTS["circadian mood"]
    model = Counted(parameters)
    Trajectory(model, model.rest, acting).at(1e6)
    before = model.evaluations
    another = Trajectory(model, start_of(parameters, CORNER, (0.5,) * 4), replace(acting, hour=9.0))
    assert another.steps_to(43_200.0) == 0
    another.at(43_200.0)
    assert model.evaluations - before <= 12


def test_a_day_is_integrated_to_the_end_before_others_read_it() -> None:
    parameters, acting = VARIANTS["circadian"]
    hours = [3.0 + index for index in range(12)]
    alone = [Trajectory(Model(parameters), CORNER, replace(acting, hour=hour)).at(43_200.0) for hour in hours]
    model = Model(parameters)
    with ThreadPoolExecutor(len(hours)) as pool:
        together = pool.map(lambda hour: Trajectory(model, CORNER, replace(acting, hour=hour)).at(43_200.0), hours)
        assert list(together) == alone


def test_a_day_of_very_many_steps_is_not_kept() -> None:
    model = Model(Dynamics(half_life_minutes=(0.1, 120.0, 66.0, 20.0), circadian=Circadian()))
    acting = Inputs(NO_SIGNALS, 3.0, 1 / 600)
    read = Trajectory(model, model.rest, acting).at(43_200.0)
    assert not CYCLES.knows(model, acting)
    assert distance(read, Trajectory(model, CORNER, acting).through(43_200.0)) <= 1e-9


def test_of_many_models_the_days_of_the_newest_are_kept() -> None:
    acting = Inputs(NO_SIGNALS, 3.0, 1 / 60)
    models = [Model(Dynamics(circadian=Circadian(peak_hour=index))) for index in range(CYCLES_KEPT + 2)]
    for model in models:
        Trajectory(model, model.rest, acting).at(43_200.0)
        Trajectory(models[0], models[0].rest, acting).at(43_200.0)
    assert [CYCLES.knows(model, acting) for model in models] == [True, False, False] + [True] * (CYCLES_KEPT - 1)


def test_an_idle_month_of_an_agent_at_its_defaults_costs_nothing() -> None:
    assert evaluations(Dynamics(), NO_INPUTS, 43_200.0) == 0


@pytest.mark.parametrize("minutes", [1e-6, 1e-3, 0.05, 0.25])
def test_a_short_span_costs_one_step(minutes: float) -> None:
    assert evaluations(Dynamics(), NO_INPUTS, minutes) <= 4


def test_reading_again_costs_at_most_one_step() -> None:
    model = Counted(Dynamics())
    trajectory = Trajectory(model, CORNER, NO_INPUTS)
    trajectory.at(500.0)
    before = model.evaluations
    trajectory.at(500.0)
    assert model.evaluations - before <= 12


def held(n: int) -> Inputs:
    """An input with `n` turns of the daily rhythm to ten memories of the agent at its defaults."""
    memory = FORGOTTEN / Dynamics().contraction_rate()
    return Inputs((0.05,) * 12, 3.0, 24 * n / (10 * memory))


EXPOSED = {
    "plain": (Dynamics(), Inputs((0.05,) * 12)),
    "mood": (Dynamics(mood=Mood(tau_minutes=60.0)), Inputs((0.05,) * 12)),
    "standing clock": (Dynamics(circadian=Circadian()), Inputs((0.05,) * 12, 3.0, 0.0)),
    "slow days": (Dynamics(circadian=Circadian()), held(2)),
    "quick days": (Dynamics(circadian=Circadian((0.5, -0.5, 0.8, 0.3)), tau_u_minutes=2.0), held(60)),
}


def quadrature(model: Model, start: State, acting: Inputs, minutes: float) -> list[float]:
    """The integrals of `exposure` by Gauss-Legendre quadrature over readings of the trajectory."""
    trajectory, panels = Trajectory(model, start, acting), max(1, math.ceil(minutes / 10.0))
    nodes, weights = np.polynomial.legendre.leggauss(7)
    half, total = minutes / panels / 2, np.zeros(8)
    for panel in range(panels):
        for node, weight in zip(nodes, weights, strict=True):
            x = trajectory.at(half * (2 * panel + 1 + node))[:4]
            free = [m * (1 - level) for m, level in zip(model.receptivity(x), x, strict=True)]
            total += half * weight * np.array([*free, *x])
    return (total / model.dynamics.tau_u_minutes).tolist()


@pytest.mark.parametrize("variant", EXPOSED)
@pytest.mark.parametrize("minutes", [1e-4, 0.1, 20.0, 1500.0, 20_000.0])
def test_what_a_signal_acts_on_is_what_quadrature_over_the_trajectory_gives(variant: str, minutes: float) -> None:
    parameters, acting = EXPOSED[variant]
    model = Model(parameters)
    start = start_of(parameters, CORNER, (0.5,) * 4)
    free, full = exposure(model, start, acting, minutes)
    assert (*free, *full) == pytest.approx(quadrature(model, start, acting, minutes), rel=1e-9, abs=1e-9)


@given(dynamics(strength=2.5), levels, vector(-1.0, 1.0), inputs, number(0.0, 600.0), number(0.0, 1.0))
@settings(deadline=None, max_examples=20)
def test_what_a_signal_acts_on_adds_up_over_two_parts_of_a_span(
    parameters: Dynamics, x: Vector4, z: Vector4, acting: Inputs, minutes: float, share: float
) -> None:
    model, start = Model(parameters), start_of(parameters, x, z)
    first = minutes * share
    halfway, later = parted(model, start, acting, first)
    whole, begun = exposure(model, start, acting, minutes), exposure(model, start, acting, first)
    ended = exposure(model, halfway, later, minutes - first)
    for one, a, b in zip(whole, begun, ended, strict=True):
        assert one == pytest.approx([u + v for u, v in zip(a, b, strict=True)], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_signal_acts_on_costs_the_same_over_a_month_and_over_ages(variant: str) -> None:
    parameters, acting = VARIANTS[variant]
    model = Counted(parameters)
    counts = []
    for days in (30, 30_000_000):
        exposure(model, start_of(parameters, CORNER, (0.0,) * 4), acting, days * 14_400.0)
        counts.append(model.evaluations - sum(counts))
    assert counts[1] <= 1.01 * counts[0]
    assert counts[0] <= 4 * 12 * steps_of_exposure(model, acting, 30 * 14_400.0)
