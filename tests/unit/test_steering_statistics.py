"""Trends, effects, leakage, agreement and intervals: against closed forms and other people's implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from emotional_ai_training.steering.agreement import agreement, corner_report
from emotional_ai_training.steering.protocol import corners
from emotional_ai_training.steering.statistics import (
    correlation,
    dominant,
    effect,
    estimate,
    leakage,
    macro_f1,
    trend,
)

PROBABILITIES = arrays(np.float64, (5, 6), elements=st.floats(0, 1))


@given(PROBABILITIES, st.floats(0.1, 3), st.floats(-2, 2))
def test_a_trend_is_that_of_any_rising_function_of_the_means(readings: np.ndarray, scale: float, shift: float) -> None:
    means = readings.mean(axis=1)
    if len(np.unique(np.round(means, 9))) == len(means):
        moved = np.tile((np.exp(scale * means) + shift)[:, None], (1, 6))
        assert trend(moved) == pytest.approx(trend(readings))


def test_a_trend_is_one_for_what_rises_and_none_for_what_stands() -> None:
    rising = np.arange(9.0)[:, None] + np.zeros((9, 4))
    assert trend(rising) == 1.0
    assert trend(rising[::-1]) == -1.0
    assert trend(np.full((9, 4), 0.3)) == 0.0


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(2, 9), st.integers(1, 5))
def test_the_effect_of_a_line_is_its_rise(start: float, rise: float, levels: int, prompts: int) -> None:
    line = np.tile((start + rise * np.linspace(0, 1, levels))[:, None], (1, prompts))
    assert effect(line) == pytest.approx(rise, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    intended, judged = zip(*pairs, strict=True)
    theirs = f1_score(intended, judged, labels=range(5), average="macro", zero_division=0)
    assert macro_f1(intended, judged, 5) == pytest.approx(theirs)


def test_an_interval_holds_the_value_and_narrows_with_more_prompts() -> None:
    draw = np.random.default_rng(3)
    few, many = (draw.normal(0.4, 0.2, size=(1, count)) for count in (10, 1000))
    narrow, wide = estimate(many, lambda v: float(v.mean())), estimate(few, lambda v: float(v.mean()))
    assert narrow.low < 0.4 < narrow.high
    assert wide.low < wide.value < wide.high
    assert narrow.high - narrow.low < 0.3 * (wide.high - wide.low)


def test_the_interval_of_a_mean_is_as_wide_as_theory_has_it() -> None:
    values = np.random.default_rng(5).normal(size=(1, 400))
    found = estimate(values, lambda v: float(v.mean()))
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(7).random((9, 20))
    assert estimate(values, effect) == estimate(values, effect)


def test_leakage_is_a_share_of_the_own_effect() -> None:
    effects = np.array([[2.0, 1.0, 0.0, -0.5], [0.1, 1.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0], [0.0, 0.3, 0.0, 1.0]])
    shares = leakage(effects)
    assert shares[0].tolist() == [1.0, 0.5, 0.0, 0.25]
    assert dominant(effects)
    assert not dominant(effects * np.array([1.0, 1.0, -1.0, 1.0]))
    effects[1, 0] = 1.5
    assert not dominant(effects)


def test_correlation_is_none_where_nothing_moves() -> None:
    assert correlation(np.arange(5.0), np.arange(5.0) * 2) == pytest.approx(1.0)
    assert correlation(np.arange(5.0), np.ones(5)) == 0.0


@given(arrays(np.float64, 4, elements=st.floats(-1, 1)), st.floats(-1, 1))
def test_the_corners_give_back_the_effects_they_were_made_of(own: np.ndarray, together: float) -> None:
    signs = np.array([[1 if letter == "h" else -1 for letter in name] for name, _ in corners()])
    one = signs @ own / 2 + together * signs[:, 0] * signs[:, 2] / 2
    report = corner_report(np.tile(one[:, None, None], (1, 3, 4)))
    assert np.allclose(np.array(report.main)[:, 0], own, atol=1e-9)
    assert report.interactions["dopamine x cortisol"][0] == pytest.approx(together, abs=1e-9)
    assert report.interactions["dopamine x serotonin"][0] == pytest.approx(0.0, abs=1e-9)


def test_agreement_is_whole_where_every_reply_reads_as_intended_and_chance_where_all_read_alike() -> None:
    right = np.zeros((5, 2, 5, 7))
    for state in range(5):
        right[state, :, state] = 1.0
    found = agreement(right, np.ones_like(right))
    assert found.macro_f1.value == 1.0
    assert np.array(found.confusion).tolist() == np.eye(5).tolist()
    assert found.macro_f1_by_embedding.value == pytest.approx(1 / 15)
