"""The core against scipy: the equations written a second time, with numpy, from the formulas alone."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from core_strategies import dynamics, levels, number, signals, vector
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from emotional_ai_service.core.configuration import Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.names import SignalVector, Vector4
from emotional_ai_service.core.simulation import Event, Sample, Span, simulate

Array = npt.NDArray[np.float64]
HORIZON = 240.0

events = st.lists(st.builds(Event, number(0.0, 200.0), signals(1.0)), max_size=4)
spans = st.lists(
    st.tuples(number(0.0, 100.0), number(1.0, 120.0), signals(0.1)).map(lambda s: Span(s[0], s[0] + s[1], s[2])),
    max_size=2,
)


class Equations:
    """The published formulas, nothing else."""

    def __init__(self, given: Dynamics, start_hour: float) -> None:
        self.b = np.array(given.baseline)
        self.k = np.log(2) / np.array(given.half_life_minutes)
        self.w, self.beta = np.array(given.coupling), np.array(given.buffering)
        self.push = np.clip(np.array(given.gains), 0, None).T
        self.pull = np.clip(-np.array(given.gains), 0, None).T
        self.tau_u, self.hour0, self.speed = given.tau_u_minutes, start_hour, 1 / (60 * given.time_scale)
        self.kappa = np.array(given.mood.kappa) if given.mood else np.zeros(4)
        self.tau_mood = given.mood.tau_minutes if given.mood else 1.0
        self.amplitude = np.array(given.circadian.amplitude) if given.circadian else np.zeros(4)
        self.phi = given.circadian.peak_hour if given.circadian else 0.0
        self.habituation = given.habituation

    def slope(self, t: float, y: Array, u: Array) -> Array:
        x, z = y[:4], y[4:]
        rhythm = self.amplitude * np.cos(2 * np.pi * (self.hour0 + t * self.speed - self.phi) / 24)
        target = 1 / (1 + np.exp(-(np.log(self.b / (1 - self.b)) + z + self.w @ (x - self.b) + rhythm)))
        pushed = (1 - self.beta @ x) * (self.push @ u) / self.tau_u
        pulled = (self.pull @ u) / self.tau_u
        dx = self.k * (target - x) + pushed * (1 - x) - pulled * x
        return np.concatenate([dx, (self.kappa * (x - self.b) - z) / self.tau_mood])

    def jump(self, y: Array, a: Array) -> Array:
        x = y[:4]
        p, n = (1 - self.beta @ x) * (self.push @ a), self.pull @ a
        q = p + n
        moved = x * np.exp(-q) + np.divide(p, q, out=np.zeros(4), where=q > 0) * (1 - np.exp(-q))
        return np.concatenate([np.where(q > 0, moved, x), y[4:]])


def solve(
    given: Dynamics,
    start: Vector4,
    mood: Vector4,
    happening: list[Event],
    sustained: list[Span],
    times: list[float],
    hour: float,
) -> Array:
    """States at `times` by DOP853, restarted wherever something changes; shape (n, 8)."""
    equations = Equations(given, hour)
    y = np.array(start + mood)
    edges = {0.0, *times, *(e.time for e in happening), *(t for s in sustained for t in (s.start, s.end))}
    habituation, heard, states = np.zeros(12), 0.0, {}

    def apply_events(t: float, y: Array) -> Array:
        nonlocal habituation, heard
        now = [np.array(e.signals) for e in happening if e.time == t]
        if not now:
            return y
        a = np.sum(now, axis=0)
        effective, rule = a, equations.habituation
        if rule:
            habituation = habituation * math.exp(-(t - heard) / rule.tau_minutes)
            effective = a * (1 - rule.eta * habituation)
            # What happens at one moment habituates as one occurrence, of full strength at most.
            habituation = habituation + rule.rho * np.minimum(a, 1) * (1 - habituation)
            heard = t
        return equations.jump(y, effective)

    states[0.0] = y = apply_events(0.0, y)
    for before, after in pairwise(sorted(edges)):
        u = sum((np.array(s.signals) for s in sustained if s.start <= before < s.end), np.zeros(12))
        solution = solve_ivp(
            equations.slope, (before, after), y, method="DOP853", rtol=3e-13, atol=1e-13, t_eval=[after], args=(u,)
        )
        states[after] = y = apply_events(after, solution.y[:, -1])
    return np.array([states[t] for t in times])


def as_array(samples: list[Sample]) -> Array:
    return np.array([sample.levels + sample.mood for sample in samples])


FULL: SignalVector = tuple(float(i == 1) for i in range(12))
TWICE_AT_ONCE = [Event(0.0, FULL), Event(0.0, FULL), Event(1.0, FULL)]


@example(Dynamics(habituation=Habituation()), (0.5, 0.6, 0.3, 0.5), (0.0,) * 4, TWICE_AT_ONCE, [], [1.0], 0.0)
@given(
    dynamics(strength=3.5),
    levels,
    vector(-1.0, 1.0),
    events,
    spans,
    st.lists(number(0.0, HORIZON), min_size=1, max_size=3).map(sorted),
    number(0.0, 24.0),
)
@settings(deadline=None, max_examples=50)
def test_random_lives_agree_with_scipy(
    given: Dynamics,
    start: Vector4,
    mood: Vector4,
    happening: list[Event],
    sustained: list[Span],
    times: list[float],
    hour: float,
) -> None:
    initial_mood = mood if given.mood else (0.0, 0.0, 0.0, 0.0)
    ours = simulate(
        given, times, initial=start, initial_mood=initial_mood, events=happening, sustained=sustained, start_hour=hour
    )
    theirs = solve(given, start, initial_mood, happening, sustained, times, hour)
    assert np.abs(as_array(ours) - theirs).max() <= 1e-9


@pytest.mark.parametrize("kind", ["event", "sustained", "mood", "circadian"])
def test_leaving_anything_out_is_noticed(kind: str) -> None:
    """The comparison would fail were one of the four ingredients missing from either side."""
    threat: SignalVector = tuple(float(i == 6) for i in range(12))
    full = Dynamics(mood=Mood(), circadian=Circadian())
    happening = [Event(5.0, threat)]
    sustained = [Span(20.0, 80.0, tuple(0.05 * a for a in threat))]
    zero = (0.0, 0.0, 0.0, 0.0)
    start, times = (0.7, 0.4, 0.5, 0.6), [120.0]
    theirs = solve(full, start, zero, happening, sustained, times, 8.0)
    poorer = Dynamics(mood=None if kind == "mood" else Mood(), circadian=None if kind == "circadian" else Circadian())
    ours = simulate(
        poorer,
        times,
        initial=start,
        events=[] if kind == "event" else happening,
        sustained=[] if kind == "sustained" else sustained,
        start_hour=8.0,
    )
    assert np.abs(as_array(ours) - theirs).max() > 1e-4
