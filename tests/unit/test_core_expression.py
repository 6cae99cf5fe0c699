"""From a state to a way of speaking: what the laws promise, for random agents and states."""

import math

import pytest
from core_strategies import baselines, levels, number
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from emotional_ai_service.core.errors import InvalidConfiguration
from emotional_ai_service.core.expression import (
    ExpressionRule,
    TemperatureLaw,
    arousal,
    express,
    temperature,
    valence,
)
from emotional_ai_service.core.labels import LABELS, hold, hold_with_slack, probabilities
from emotional_ai_service.core.names import Vector4
from emotional_ai_training.conditioning import (
    ADAPTERS,
    BASELINE,
    conditioning_tokens,
    gloss,
    prototype,
    spoken_temperature,
)


def put(x: Vector4, chemical: int, level: float) -> Vector4:
    y = list(x)
    y[chemical] = level
    return y[0], y[1], y[2], y[3]


@given(levels, baselines, number(0.3, 1.3), number(0.0, 1.0))
@settings(deadline=None)
def test_the_monotone_law_warms_with_dopamine(x: Vector4, baseline: Vector4, base: float, level: float) -> None:
    rule = ExpressionRule(base_temperature=base)
    low, high = sorted((x[0], level))
    cool, warm = (temperature(put(x, 0, value), baseline, rule) for value in (low, high))
    assert 0.3 <= cool <= warm <= 1.3
    assert temperature(baseline, baseline, rule) == base


@given(levels, baselines, number(0.3, 1.3))
@settings(deadline=None)
def test_the_inverted_u_law_peaks_at_the_baseline_and_is_symmetric(x: Vector4, baseline: Vector4, base: float) -> None:
    rule = ExpressionRule(TemperatureLaw.INVERTED_U, base_temperature=base)
    value = temperature(x, baseline, rule)
    assert 0.3 <= value <= temperature(baseline, baseline, rule) == base
    mirrored = put(x, 0, 2 * baseline[0] - x[0])
    assert temperature(mirrored, baseline, rule) == pytest.approx(value, abs=1e-12)


def test_the_two_temperature_laws_differ_where_dopamine_is_high() -> None:
    excited = put(BASELINE, 0, 0.9)
    monotone, inverted = (temperature(excited, BASELINE, ExpressionRule(law)) for law in TemperatureLaw)
    assert monotone == pytest.approx(0.8 * math.exp(0.4))
    assert inverted == pytest.approx(0.8 * math.exp(-0.32))


@given(levels, baselines, number(0.6, 0.98))
@settings(deadline=None)
def test_top_p_narrows_with_cortisol_inside_its_range(x: Vector4, baseline: Vector4, base: float) -> None:
    rule = ExpressionRule(base_top_p=base)
    calm, tense = (express(put(x, 2, level), baseline, rule).top_p for level in (x[2] / 2, x[2]))
    assert 0.60 <= tense <= calm <= 0.98
    assert express(put(x, 2, baseline[2]), baseline, rule).top_p == base


@pytest.mark.parametrize(
    ("level", "token"),
    [(0.0, "0.00"), (0.024, "0.00"), (0.025, "0.05"), (0.125, "0.15"), (0.325, "0.35"), (0.974, "0.95"), (1.0, "1.00")],
)
def test_conditioning_tokens_round_half_up_in_twentieths(level: float, token: str) -> None:
    assert conditioning_tokens((level,) * 4) == f"<DA={token}><SE={token}><CO={token}><OX={token}>"


@given(levels)
@settings(deadline=None)
def test_conditioning_tokens_stay_within_half_a_bin(x: Vector4) -> None:
    tokens = [float(part[4:]) for part in conditioning_tokens(x).split(">")[:-1]]
    assert all(abs(token - level) <= 0.025 + 1e-9 for token, level in zip(tokens, x, strict=True))


@given(levels, baselines)
@settings(deadline=None)
def test_the_gloss_is_even_exactly_when_nothing_deviates_noticeably(x: Vector4, baseline: Vector4) -> None:
    shares = [(v - b) / (1 - b) if v >= b else (b - v) / b for v, b in zip(x, baseline, strict=True)]
    assert (gloss(x, baseline) == " mood: even and balanced") == (max(shares) < 0.15)


@pytest.mark.parametrize(
    ("cortisol", "words"),
    [
        (0.40, "even and balanced"),
        (0.41, "a little anxious, tense and worried"),
        (0.54, "a little anxious, tense and worried"),
        (0.55, "rather anxious, tense and worried"),
        (0.71, "rather anxious, tense and worried"),
        (0.73, "anxious, tense and worried"),
        (0.88, "anxious, tense and worried"),
        (0.90, "very anxious, tense and worried"),
        (1.00, "very anxious, tense and worried"),
        (0.25, "a little relaxed, easy and unhurried"),
        (0.15, "rather relaxed, easy and unhurried"),
        (0.10, "relaxed, easy and unhurried"),
        (0.00, "very relaxed, easy and unhurried"),
    ],
)
def test_the_gloss_tells_how_strong_a_deviation_is(cortisol: float, words: str) -> None:
    assert gloss((0.5, 0.6, cortisol, 0.5), BASELINE) == f" mood: {words}"


def test_the_gloss_names_the_strongest_deviation_first_and_two_at_most() -> None:
    assert gloss((0.5, 0.6, 0.8, 0.5), BASELINE) == " mood: anxious, tense and worried"
    both = gloss((0.6, 0.1, 0.65, 0.1), BASELINE)
    assert both == " mood: moody, unsettled and irritable; distant, guarded and alone"


@given(levels, baselines)
@settings(deadline=None)
def test_valence_and_arousal_are_zero_at_the_baseline_and_stay_in_their_range(x: Vector4, baseline: Vector4) -> None:
    assert valence(baseline, baseline) == arousal(baseline, baseline) == 0
    assert abs(valence(x, baseline)) <= 1 + 1e-15
    assert abs(arousal(x, baseline)) <= 1 + 1e-15


@given(baselines)
@settings(deadline=None)
def test_cortisol_is_unpleasant_and_dopamine_is_pleasant(baseline: Vector4) -> None:
    assert valence(put(baseline, 2, 1.0), baseline) < 0 < valence(put(baseline, 0, 1.0), baseline)


@given(levels, baselines)
@settings(deadline=None)
def test_label_probabilities_sum_to_one(x: Vector4, baseline: Vector4) -> None:
    p = probabilities(x, baseline)
    assert len(p) == len(LABELS)
    assert min(p) >= 0
    assert math.fsum(p) == pytest.approx(1.0, abs=1e-14)


@given(levels, baselines, st.integers(0, len(LABELS) - 1), number(0.0, 0.9))
@settings(deadline=None)
def test_a_label_is_replaced_only_by_a_clear_leader(
    x: Vector4, baseline: Vector4, held: int, hysteresis: float
) -> None:
    p = probabilities(x, baseline)
    now = hold(held, x, baseline, hysteresis)
    if now != held:
        assert p[now] == max(p)
        assert p[now] - p[held] > hysteresis
    else:
        assert max(p) - p[held] <= hysteresis


@given(levels, levels, baselines, st.integers(0, len(LABELS) - 1), number(0.0, 0.9))
@settings(deadline=None)
def test_within_its_slack_a_label_stays(
    x: Vector4, towards: Vector4, baseline: Vector4, held: int, hysteresis: float
) -> None:
    label, slack = hold_with_slack(held, x, baseline, hysteresis)
    assert label == hold(held, x, baseline, hysteresis)
    far = math.dist(x, towards)
    assume(slack > 0 and far > 0)
    share = min(1.0, 0.999 * slack / far)
    near = [a + share * (b - a) for a, b in zip(x, towards, strict=True)]
    assert hold(label, (near[0], near[1], near[2], near[3]), baseline, hysteresis) == label


def test_hysteresis_keeps_a_label_that_a_fresh_reading_would_not_choose() -> None:
    """On the way from calm to neutral there is a stretch where the label depends on where it came from."""
    calm, neutral = LABELS.index("calm"), LABELS.index("neutral")
    between = [
        (0.45 + 0.05 * s, 0.85 - 0.25 * s, 0.10 + 0.20 * s, 0.55 - 0.05 * s) for s in (i / 100 for i in range(101))
    ]
    undecided = [
        x for x in between if hold(calm, x, BASELINE, 0.1) == calm and hold(neutral, x, BASELINE, 0.1) == neutral
    ]
    assert 3 < len(undecided) < 50
    assert not [
        x for x in between if hold(calm, x, BASELINE, 0.0) == calm and hold(neutral, x, BASELINE, 0.0) == neutral
    ][1:]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_temperature", 0.29),
        ("base_temperature", math.nan),
        ("base_top_p", 0.99),
        ("label_hysteresis", -0.1),
        ("label_hysteresis", 0.91),
    ],
)
def test_an_expression_rule_outside_its_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InvalidConfiguration, match=rf"expression\.{field}"):
        ExpressionRule(**{field: value})


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_training_and_serving_agree_on_the_temperature_of_a_state(adapter: str) -> None:
    state = prototype(adapter)
    assert express(state, BASELINE, ExpressionRule()).temperature == pytest.approx(spoken_temperature(state))
