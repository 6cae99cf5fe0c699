"""The weights by which drafts are resampled, and where the resampled replies tend to."""

import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emotional_ai_service.decoding.tinker.rescoring import resampled, resampling, shares

WEIGHT = st.floats(-2, 2).filter(lambda weight: weight != 0)
WEIGHTS = st.dictionaries(st.sampled_from("abc"), WEIGHT, min_size=1)
LOGS = st.lists(st.floats(-200, 0), min_size=2, max_size=6)
REPLIES = 5


def densities(seed: int, *names: str) -> dict[str, np.ndarray]:
    """A distribution over all replies there are, for each model."""
    source = np.random.default_rng(seed)
    return {name: source.dirichlet(np.ones(REPLIES)) for name in names}


@given(WEIGHTS)
def test_the_exponents_sum_to_one_and_the_base_model_has_the_rest(weights: dict[str, float]) -> None:
    exponents = shares(weights)
    assert math.fsum(exponents.values()) == pytest.approx(1)
    assert {name: share for name, share in exponents.items() if name} == weights


def test_weights_that_sum_to_one_leave_the_base_model_nothing() -> None:
    assert shares({"a": 0.3, "b": 0.7}) == {"a": 0.3, "b": 0.7}
    assert shares({"a": 0.1, "b": 0.2, "c": 0.7}) == {"a": 0.1, "b": 0.2, "c": 0.7}


@given(WEIGHTS, LOGS, LOGS, LOGS, LOGS, st.floats(0.1, 2))
def test_the_chances_equal_the_formula_computed_plainly(
    weights: dict[str, float], a: list[float], b: list[float], c: list[float], base: list[float], temperature: float
) -> None:
    count = min(map(len, (a, b, c, base)))
    scores = {name: logs[:count] for name, logs in (("a", a), ("b", b), ("c", c), ("", base))}
    rest = 1 - sum(weights.values())
    exponent = np.array(
        [
            (sum(w * scores[n][k] for n, w in weights.items()) + rest * scores[""][k] - scores["a"][k]) / temperature
            for k in range(count)
        ]
    )
    expected = np.exp(exponent - exponent.max())
    found = resampling(shares(weights), scores, "a", temperature)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6, atol=1e-12)


@given(LOGS, st.floats(0.1, 2))
def test_drafts_of_the_only_adapter_at_full_weight_are_as_good_as_each_other(
    own: list[float], temperature: float
) -> None:
    found = resampling(shares({"a": 1.0}), {"a": own}, "a", temperature)
    assert found == pytest.approx([1 / len(own)] * len(own))


@given(LOGS, LOGS, st.floats(-50, 50))
def test_what_a_model_adds_to_all_drafts_alike_changes_nothing(
    own: list[float], other: list[float], added: float
) -> None:
    count = min(len(own), len(other))
    assume(count >= 2)
    exponents = shares({"a": 0.5, "b": 0.5})
    plain = resampling(exponents, {"a": own[:count], "b": other[:count]}, "a", 1.0)
    moved = resampling(exponents, {"a": own[:count], "b": [log + added for log in other[:count]]}, "a", 1.0)
    assert moved == pytest.approx(plain, rel=1e-6, abs=1e-12)


def test_a_draft_is_taken_as_often_as_its_chance_says() -> None:
    chances = (0.1, 0.0, 0.65, 0.25)
    counts = Counter(resampled(chances, Random(seed)) for seed in range(8000))
    assert [counts[index] / 8000 for index in range(4)] == pytest.approx(chances, abs=0.02)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8).filter(lambda one: sum(one) > 0), st.integers(0, 2**63))
def test_a_draft_without_a_chance_is_never_taken(masses: list[float], seed: int) -> None:
    total = math.fsum(masses)
    chances = tuple(mass / total for mass in masses)
    assume(any(chances))
    assert chances[resampled(chances, Random(seed))] > 0


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_with_many_drafts_replies_come_as_often_as_the_blend_says(temperature: float) -> None:
    """The drafts are drawn from one model over five replies; the blend's distribution is computed outright."""
    of = densities(3, "a", "b", "")
    weights = {"a": 0.5, "b": 0.8}
    target = (of["a"] ** 0.5 * of["b"] ** 0.8 * of[""] ** -0.3) ** (1 / temperature)
    proposal = of["a"] ** (1 / temperature)
    source = np.random.default_rng(0)
    counts: Counter[int] = Counter()
    rounds = 3000
    for seed in range(rounds):
        drafts = source.choice(REPLIES, size=64, p=proposal / proposal.sum())
        scores = {name: np.log(of[name][drafts]).tolist() for name in of}
        counts[int(drafts[resampled(resampling(shares(weights), scores, "a", temperature), Random(seed))])] += 1
    found = [counts[reply] / rounds for reply in range(REPLIES)]
    np.testing.assert_allclose(found, target / target.sum(), atol=0.05)


def test_one_draft_is_taken_as_it_is() -> None:
    assert resampling(shares({"a": 0.4}), {"a": [-3.0], "": [-90.0]}, "a", 0.8) == (1.0,)
