"""What configurations the core refuses, and whether it says which value is wrong."""

import math
from dataclasses import replace

import pytest
from core_strategies import big_fives, dynamics
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai_service.core.configuration import COUPLING, GAINS, Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.errors import InvalidConfiguration, UnstableConfiguration
from emotional_ai_service.core.personality import BigFive, baseline_of
from emotional_ai_training.conditioning import BASELINE

TRAITS = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")


@given(dynamics(), st.integers(0, 3), st.floats(4.0, 1e6))
@settings(deadline=None, max_examples=60)
def test_a_row_of_coupling_as_strong_as_four_is_refused_by_name(stable: Dynamics, row: int, strength: float) -> None:
    rows = list(stable.coupling)
    rows[row] = (strength / 2, -strength / 4, 0.0, strength / 4)
    with pytest.raises(UnstableConfiguration) as refusal:
        replace(stable, coupling=tuple(rows))
    assert refusal.value.field == f"coupling.{('dopamine', 'serotonin', 'cortisol', 'oxytocin')[row]}"
    assert "below 4" in refusal.value.description


def test_coupling_just_below_the_bound_is_accepted() -> None:
    strong = ((math.nextafter(4, 0), 0.0, 0.0, 0.0), *COUPLING[1:])
    assert Dynamics(coupling=strong).contraction_rate() > 0


def test_mood_counts_towards_stability() -> None:
    with pytest.raises(UnstableConfiguration, match="cortisol"):
        Dynamics(mood=Mood(kappa=(0.0, 0.0, 2.1, 0.0)))


@pytest.mark.parametrize("row", [(0.3, 0.3, 0.0, 0.0), (-0.1, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 0.0)])
def test_buffering_outside_its_bound_is_refused_by_name(row: tuple[float, float, float, float]) -> None:
    zero = (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(UnstableConfiguration) as refusal:
        Dynamics(buffering=(zero, zero, row, zero))
    assert refusal.value.field == "buffering.cortisol"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_everywhere(bad: float) -> None:
    with pytest.raises(InvalidConfiguration, match=r"baseline\.serotonin"):
        Dynamics(baseline=(0.5, bad, 0.3, 0.5))
    with pytest.raises(InvalidConfiguration, match=r"half_life_minutes\.dopamine"):
        Dynamics(half_life_minutes=(bad, 1.0, 1.0, 1.0))
    with pytest.raises(InvalidConfiguration, match=r"coupling\.oxytocin"):
        Dynamics(coupling=(*COUPLING[:3], (bad, 0.0, 0.0, 0.0)))
    with pytest.raises(InvalidConfiguration, match=r"gains\.reward\.dopamine"):
        Dynamics(gains=((bad, 0.0, 0.0, 0.0), *GAINS[1:]))
    with pytest.raises(InvalidConfiguration, match="tau_u_minutes"):
        Dynamics(tau_u_minutes=bad)
    with pytest.raises(InvalidConfiguration, match="time_scale"):
        Dynamics(time_scale=bad)
    with pytest.raises(InvalidConfiguration, match=r"mood\.kappa"):
        Mood(kappa=(bad, 0.0, 0.0, 0.0))
    with pytest.raises(InvalidConfiguration, match=r"circadian\.peak_hour"):
        Circadian(peak_hour=bad)
    with pytest.raises(InvalidConfiguration, match=r"habituation\.rho"):
        Habituation(rho=bad)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1.1])
def test_a_baseline_at_the_edge_of_the_cube_is_refused(level: float) -> None:
    with pytest.raises(InvalidConfiguration, match=r"baseline\.oxytocin"):
        Dynamics(baseline=(0.5, 0.6, 0.3, level))


@given(big_fives)
@settings(deadline=None)
def test_every_personality_has_a_baseline_within_its_clip(traits: BigFive) -> None:
    assert all(0.05 <= level <= 0.95 for level in baseline_of(traits))


def test_the_average_personality_has_the_average_baseline() -> None:
    assert baseline_of(BigFive()) == pytest.approx(BASELINE, abs=1e-15)


def test_a_personality_is_clipped_where_its_average_is_extreme() -> None:
    curious = BigFive(openness=1.0, extraversion=1.0, neuroticism=0.0)
    assert baseline_of(curious, (0.94, 0.9, 0.06, 0.5)) == pytest.approx((0.95, 0.9425, 0.05, 0.5744), abs=1e-4)


@pytest.mark.parametrize(
    ("trait", "directions"),
    [
        ("openness", (1, 0, 0, 0)),
        ("conscientiousness", (0, 1, 0, 0)),
        ("extraversion", (1, 0, -1, 1)),
        ("agreeableness", (0, 0, -1, 1)),
        ("neuroticism", (0, -1, 1, 0)),
    ],
)
@given(low=st.floats(0, 0.9), rise=st.floats(0.05, 0.1), others=big_fives)
@settings(deadline=None, max_examples=40)
def test_a_trait_moves_the_baseline_in_its_direction_only(
    trait: str, directions: tuple[int, ...], low: float, rise: float, others: BigFive
) -> None:
    before = baseline_of(replace(others, **{trait: low}))
    after = baseline_of(replace(others, **{trait: low + rise}))
    moves = tuple((b > a) - (b < a) for a, b in zip(before, after, strict=True))
    assert moves == directions


@pytest.mark.parametrize("trait", TRAITS)
@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan])
def test_a_trait_outside_its_range_is_refused_by_name(trait: str, value: float) -> None:
    with pytest.raises(InvalidConfiguration, match=rf"personality\.{trait}"):
        BigFive(**{trait: value})
