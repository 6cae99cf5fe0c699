"""Fitting the chemistry to what was observed: what it recovers, and whether it knows what it does not know."""

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from emotional_ai_service.calibration import Calibration, Observed, calibrate
from emotional_ai_service.core.configuration import GAINS, Dynamics
from emotional_ai_service.core.dynamics import Model
from emotional_ai_service.core.errors import InvalidConfiguration, InvalidInput
from emotional_ai_service.core.flow import check_speeds
from emotional_ai_service.core.names import SIGNALS, SignalVector
from emotional_ai_service.core.simulation import Event, Span, simulate

TRUTH = Dynamics(
    baseline=(0.42, 0.55, 0.36, 0.61),
    half_life_minutes=(14.0, 80.0, 45.0, 30.0),
    gains=((0.8, 0.25, -0.2, 0.1), *GAINS[1:]),
)
NOISE = 0.01
TIMES = np.linspace(0.0, 300.0, 60).tolist()
START = (0.9, 0.2, 0.8, 0.1)
SEEDS = range(5)
EVERYTHING = ("baseline", "half_life", "reward")


def signal(name: str, intensity: float) -> SignalVector:
    return tuple(intensity if other == name else 0.0 for other in SIGNALS)


EVENTS = [Event(40.0 * n, signal("reward", 0.9)) for n in range(1, 6)] + [Event(95.0, signal("threat", 0.8))]
SUSTAINED = [Span(150.0, 170.0, signal("praise", 0.05))]


def observed(seed: int, noise: float = NOISE) -> Observed:
    samples = simulate(TRUTH, TIMES, initial=START, events=EVENTS, sustained=SUSTAINED)
    levels = np.array([sample.levels for sample in samples])
    return Observed(TIMES, levels + noise * np.random.default_rng(seed).normal(size=levels.shape), START)


@cache
def fitted(seed: int) -> Calibration:
    return calibrate(observed(seed), Dynamics(), events=EVENTS, sustained=SUSTAINED, fit=EVERYTHING)


def truth(name: str) -> float:
    group, *path, chemical = name.split(".")
    index = ("dopamine", "serotonin", "cortisol", "oxytocin").index(chemical)
    if group == "gains":
        return TRUTH.gains[SIGNALS.index(path[0])][index]
    return float(getattr(TRUTH, group)[index])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_parameters_are_recovered_from_a_noisy_trajectory(seed: int) -> None:
    found = fitted(seed)
    assert found.converged
    assert found.observations == 240
    assert found.dynamics.baseline == pytest.approx(TRUTH.baseline, abs=0.03)
    assert found.dynamics.half_life_minutes == pytest.approx(TRUTH.half_life_minutes, rel=0.2)
    assert found.dynamics.gains[0] == pytest.approx(TRUTH.gains[0], abs=0.08)
    assert found.sigma == pytest.approx(NOISE, rel=0.2)
    assert all(parameter.identified for parameter in found.parameters)
    assert found.condition < 1e4


def test_the_stated_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Sixty intervals of 95 %: honest ones hold it 57 times, give or take two."""
    everything = [parameter for seed in SEEDS for parameter in fitted(seed).parameters]
    held = sum(parameter.low <= truth(parameter.name) <= parameter.high for parameter in everything)
    assert len(everything) == 60
    assert held >= 50


def test_the_stated_errors_are_not_generous() -> None:
    """Normalised by its standard error, a deviation is about 1: intervals that are far too wide would show here."""
    scores = [(p.value - truth(p.name)) / p.standard_error for seed in SEEDS for p in fitted(seed).parameters]
    assert 0.6 < float(np.sqrt(np.mean(np.square(scores)))) < 1.5


def test_without_noise_the_truth_is_found_exactly() -> None:
    found = calibrate(observed(0, noise=0.0), Dynamics(), events=EVENTS, sustained=SUSTAINED, fit=EVERYTHING)
    assert all(parameter.value == pytest.approx(truth(parameter.name), abs=1e-5) for parameter in found.parameters)


def test_a_signal_that_never_occurred_is_reported_as_not_identified() -> None:
    found = calibrate(observed(0), TRUTH, events=EVENTS, sustained=SUSTAINED, fit=("baseline", "boredom"))
    judged = {parameter.name: parameter for parameter in found.parameters}
    assert not any(judged[f"gains.boredom.{name}"].identified for name in ("dopamine", "cortisol", "oxytocin"))
    assert all(judged[f"baseline.{name}"].identified for name in ("dopamine", "serotonin", "cortisol", "oxytocin"))
    boredom = judged["gains.boredom.dopamine"]
    assert (boredom.standard_error, boredom.low, boredom.high) == (math.inf, -10.0, 10.0)
    assert boredom.value == pytest.approx(GAINS[11][0])
    assert found.condition == math.inf


def test_two_signals_that_always_came_together_cannot_be_told_apart() -> None:
    both = [
        Event(40.0 * n, tuple(a + b for a, b in zip(signal("reward", 0.4), signal("praise", 0.4), strict=True)))
        for n in range(6)
    ]
    samples = simulate(TRUTH, TIMES, events=both)
    noise = NOISE * np.random.default_rng(1).normal(size=(len(TIMES), 4))
    seen = Observed(TIMES, np.array([sample.levels for sample in samples]) + noise)
    found = calibrate(seen, TRUTH, events=both, fit=("reward", "praise"))
    assert not {p.name for p in found.parameters if p.identified} & {"gains.reward.dopamine", "gains.praise.dopamine"}


def test_the_half_life_of_a_chemical_that_was_never_seen_is_not_well_known() -> None:
    """Serotonin is missing throughout; the others tell of it through the coupling only."""
    whole = observed(0)
    levels = np.array(whole.levels)
    levels[:, 1] = np.nan
    blind = calibrate(
        Observed(TIMES, levels, START), Dynamics(), events=EVENTS, sustained=SUSTAINED, fit=("baseline", "half_life")
    )
    seeing = calibrate(whole, Dynamics(), events=EVENTS, sustained=SUSTAINED, fit=("baseline", "half_life"))
    assert blind.observations == 180
    named = "half_life_minutes.serotonin"
    (unsure,), (sure,) = ([p for p in fit.parameters if p.name == named] for fit in (blind, seeing))
    assert unsure.standard_error > 5 * sure.standard_error


def test_missing_levels_are_left_out_of_the_fit() -> None:
    whole = observed(2)
    levels: npt.NDArray[np.float64] = np.array(whole.levels)
    levels[::3, :] = np.nan
    found = calibrate(Observed(TIMES, levels, START), Dynamics(), events=EVENTS, sustained=SUSTAINED, fit=("baseline",))
    assert found.observations == 160


def test_progress_is_told_after_every_evaluation() -> None:
    told: list[tuple[int, float]] = []
    calibrate(
        observed(0),
        Dynamics(),
        events=EVENTS,
        sustained=SUSTAINED,
        fit=("baseline",),
        progress=lambda evaluations, rms: told.append((evaluations, rms)),
    )
    assert [evaluations for evaluations, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][1] < told[0][1]


def test_a_fit_cut_short_says_so() -> None:
    found = calibrate(observed(0), Dynamics(), events=EVENTS, sustained=SUSTAINED, most_evaluations=1)
    assert not found.converged


@pytest.mark.parametrize("seed", range(6))
def test_noisy_data_of_ordinary_events_are_fitted_whatever_the_fit_comes_past(seed: int) -> None:
    """The data leave the slow half-lives open, so that trials reach for dynamics that no session may have."""
    events = [
        Event(10.0, signal("praise", 0.5)),
        Event(40.0, signal("threat", 0.6)),
        Event(90.0, signal("reward", 0.4)),
    ]
    times = np.linspace(0.0, 150.0, 40).tolist()
    levels = np.array([sample.levels for sample in simulate(Dynamics(), times, events=events)])
    noise = 0.05 * np.random.default_rng(seed).normal(size=levels.shape)
    found = calibrate(Observed(times, levels + noise), Dynamics(), events=events)
    assert found.sigma == pytest.approx(0.05, rel=0.2)
    check_speeds(Model(found.dynamics))


def test_a_fit_that_ends_beside_what_no_session_may_have_says_so() -> None:
    """Serotonin stands still from the start, as it would with a half-life without end."""
    times = np.linspace(0.0, 3000.0, 40).tolist()
    begin = Dynamics(half_life_minutes=(0.7, 5000.0, 66.0, 20.0), coupling=((0.0,) * 4,) * 4)
    start = (0.5, 0.1, 0.5, 0.5)
    levels = np.array([sample.levels for sample in simulate(begin, times, initial=start)])
    levels[:, 1] = 0.1
    found = calibrate(Observed(times, levels, start), begin, fit=("half_life",))
    assert not found.converged
    check_speeds(Model(found.dynamics))


def test_what_cannot_be_fitted_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="13 needed"):
        calibrate(Observed([1.0, 2.0, 3.0], np.full((3, 4), 0.5)), Dynamics(), fit=EVERYTHING)
    with pytest.raises(InvalidInput, match=r"levels: must have shape \(2, 4\)"):
        calibrate(Observed([1.0, 2.0], np.full((3, 4), 0.5)), Dynamics())
    with pytest.raises(InvalidInput, match=r"times: must be finite"):
        calibrate(Observed([1.0, math.nan, 3.0], np.full((3, 4), 0.5)), Dynamics())
    with pytest.raises(InvalidInput, match=r"times\[1\]"):
        calibrate(Observed([3.0, 2.0, 4.0], np.full((3, 4), 0.5)), Dynamics())
    with pytest.raises(InvalidInput, match=r"levels\[0\].dopamine: must be in \[-1, 2\]"):
        calibrate(Observed([1.0, 2.0, 3.0], np.full((3, 4), math.inf)), Dynamics())
    with pytest.raises(InvalidInput, match=r"levels\[2\].oxytocin: must be in \[-1, 2\], .* got 50"):
        calibrate(Observed([1.0, 2.0, 3.0], [[0.5] * 4, [0.5] * 4, [0.5, 0.5, 0.5, 50.0]]), Dynamics())
    with pytest.raises(InvalidInput, match=r"initial.serotonin: must be in \[0, 1\], got nan"):
        calibrate(Observed([1.0, 2.0, 3.0], np.full((3, 4), 0.5), (0.5, math.nan, 0.5, 0.5)), Dynamics())
    with pytest.raises(InvalidInput, match=r"start_hour: must be finite"):
        calibrate(Observed([1.0, 2.0, 3.0], np.full((3, 4), 0.5), start_hour=math.nan), Dynamics())
    with pytest.raises(InvalidInput, match=r"most_evaluations: must be at least 1, got 0"):
        calibrate(observed(0), Dynamics(), most_evaluations=0)
    with pytest.raises(InvalidConfiguration, match=r"half_life_minutes"):
        calibrate(observed(0), Dynamics(half_life_minutes=(1e5, 0.1, 0.1, 0.1)))
    with pytest.raises(InvalidInput, match="'coupling'"):
        calibrate(observed(0), Dynamics(), fit=("coupling",))
    with pytest.raises(InvalidInput, match="each once"):
        calibrate(observed(0), Dynamics(), fit=("baseline", "baseline"))
