"""Less is expressed than is felt: intensity and caps, for random agents, states and rules."""

from dataclasses import replace

import pytest
from core_strategies import baselines, levels, number, vector
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.errors import InvalidConfiguration
from emotional_ai_service.core.expression import NO_CAPS, ExpressionRule, express, expressed
from emotional_ai_service.core.labels import LABELS
from emotional_ai_service.core.names import CHEMICALS, Vector4
from emotional_ai_service.core.timeline import Agent
from emotional_ai_training.conditioning import BASELINE

ROUNDING = 1e-15
"""A few last places of levels, which are at most 1."""
intensities = number(0.0, 1.0)
labels = st.integers(0, len(LABELS) - 1)


def above(baseline: Vector4, shares: Vector4) -> Vector4:
    """Caps at these shares of the room above the baseline."""
    da, se, co, ox = (min(b + share * (1 - b), 1.0) for b, share in zip(baseline, shares, strict=True))
    return da, se, co, ox


@given(levels, baselines, intensities, vector(0.0, 1.0))
@settings(deadline=None)
def test_expressed_levels_are_those_of_the_closed_form(x: Vector4, b: Vector4, share: float, room: Vector4) -> None:
    caps = above(b, room)
    shown = expressed(x, b, ExpressionRule(intensity=share, caps=caps))
    assert shown == pytest.approx([min((1 - share) * b[i] + share * x[i], caps[i]) for i in range(4)], abs=1e-12)


@given(levels, baselines, labels)
@settings(deadline=None)
def test_full_intensity_without_caps_changes_no_bit(x: Vector4, b: Vector4, held: int) -> None:
    plain = ExpressionRule()
    assert (plain.intensity, plain.caps) == (1.0, NO_CAPS)
    assert expressed(x, b, plain) == x
    assert express(x, b, plain, held).levels == x


@given(levels, baselines, labels)
@settings(deadline=None)
def test_no_intensity_speaks_exactly_as_at_the_baseline_whatever_is_felt(x: Vector4, b: Vector4, held: int) -> None:
    rule = ExpressionRule(intensity=0.0)
    muted, rest = express(x, b, rule, held), express(b, b, ExpressionRule(), held)
    assert replace(muted, label=rest.label) == rest
    assert muted.label in (held, rest.label)


@given(levels, baselines, intensities, intensities, vector(0.0, 1.0))
@settings(deadline=None)
def test_more_intensity_moves_no_level_nearer_to_the_baseline(
    x: Vector4, b: Vector4, one: float, other: float, room: Vector4
) -> None:
    caps = above(b, room)
    less, more = (expressed(x, b, ExpressionRule(intensity=share, caps=caps)) for share in sorted((one, other)))
    for rest, faint, strong in zip(b, less, more, strict=True):
        assert abs(faint - rest) <= abs(strong - rest) + ROUNDING
        assert (faint - rest) * (strong - rest) >= 0


@given(levels, baselines, intensities, vector(0.0, 1.0))
@settings(deadline=None)
def test_no_level_is_expressed_above_its_cap_or_outside_its_range(
    x: Vector4, b: Vector4, share: float, room: Vector4
) -> None:
    caps = above(b, room)
    for level, cap in zip(express(x, b, ExpressionRule(intensity=share, caps=caps)).levels, caps, strict=True):
        assert 0 <= level <= cap


@given(levels, levels, baselines, intensities, intensities, vector(0.0, 1.0))
@settings(deadline=None)
def test_expression_is_continuous_in_what_is_felt_and_in_the_intensity(
    x: Vector4, y: Vector4, b: Vector4, one: float, other: float, room: Vector4
) -> None:
    caps = above(b, room)
    first = expressed(x, b, ExpressionRule(intensity=one, caps=caps))
    second = expressed(y, b, ExpressionRule(intensity=other, caps=caps))
    for at in range(4):
        assert abs(first[at] - second[at]) <= abs(x[at] - y[at]) + abs(one - other) + ROUNDING


@given(levels, baselines, number(0.0, 0.99))
@settings(deadline=None)
def test_everything_is_made_of_the_expressed_levels(x: Vector4, b: Vector4, share: float) -> None:
    rule = ExpressionRule(intensity=share, caps=above(b, (0.5, 0.5, 0.5, 0.5)))
    assert express(x, b, rule) == express(expressed(x, b, rule), b, ExpressionRule())


@pytest.mark.parametrize("chemical", range(4))
def test_a_cap_holds_one_chemical_and_leaves_the_others(chemical: int) -> None:
    caps = tuple(0.7 if at == chemical else 1.0 for at in range(4))
    rule = ExpressionRule(caps=(caps[0], caps[1], caps[2], caps[3]))
    assert expressed((0.9, 0.9, 0.9, 0.9), BASELINE, rule) == tuple(0.7 if at == chemical else 0.9 for at in range(4))


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_an_intensity_or_a_cap_outside_its_range_is_refused_by_name(value: float) -> None:
    with pytest.raises(InvalidConfiguration, match=r"must be in \[0, 1\]") as refused:
        ExpressionRule(intensity=value)
    assert refused.value.field == "expression.intensity"
    with pytest.raises(InvalidConfiguration, match=r"must be in \[0, 1\]") as refused:
        ExpressionRule(caps=(1.0, 1.0, value, 1.0))
    assert refused.value.field == "expression.caps.cortisol"


@pytest.mark.parametrize("chemical", range(4))
def test_a_cap_below_the_baseline_is_refused_by_name_with_what_is_allowed(chemical: int) -> None:
    caps = [1.0, 1.0, 1.0, 1.0]
    caps[chemical] = BASELINE[chemical] - 0.01
    rule = ExpressionRule(caps=(caps[0], caps[1], caps[2], caps[3]))
    with pytest.raises(InvalidConfiguration) as refused:
        Agent(Dynamics(), rule)
    assert refused.value.field == f"expression.caps.{CHEMICALS[chemical]}"
    assert f"must be at least the baseline, {BASELINE[chemical]:g}, and at most 1" in refused.value.description
    assert Agent(Dynamics(), ExpressionRule(caps=BASELINE)).expression.caps == BASELINE
