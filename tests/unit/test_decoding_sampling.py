"""Sampling: order of the rules, their limits, repeatability."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from emotional_ai_service.decoding import Sampling
from emotional_ai_service.decoding.llama import Floats
from emotional_ai_service.decoding.messages import DEFAULT_MIN_P
from emotional_ai_service.decoding.sampling import candidates, log_probability, next_token, penalised


def row(*logits: float) -> Floats:
    return np.array(logits, np.float32)


def log_of(*probabilities: float) -> Floats:
    return np.log(row(*probabilities))


vectors = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=600).map(lambda logits: row(*logits))


def left_by(top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0) -> Sampling:
    return Sampling(1.0, top_k, top_p, 1.0, min_p)


def drawn(logits: Floats, rule: Sampling, seed: int, generated: tuple[int, ...] = ()) -> int:
    return next_token(logits, generated, rule, np.random.default_rng(seed))


@given(vectors, st.integers(0, 700), st.floats(0.01, 1))
def test_candidates_are_the_shortest_head_of_the_ranking_that_holds_the_mass(
    logits: Floats, top_k: int, top_p: float
) -> None:
    probabilities, tokens = candidates(logits, left_by(top_k, top_p))
    kept = min(top_k or len(logits), len(logits))
    reference = torch.softmax(torch.from_numpy(logits).sort(descending=True).values[:kept].double(), 0)
    size = len(probabilities)
    assert 1 <= size <= kept
    assert float(reference[:size].sum()) >= min(top_p, 1) - 1e-5
    assert size == 1 or float(reference[: size - 1].sum()) < top_p + 1e-5
    assert probabilities == pytest.approx((reference[:size] / reference[:size].sum()).numpy(), abs=1e-5)
    assert sorted(logits[tokens].tolist(), reverse=True) == logits[tokens].tolist()


@pytest.mark.parametrize(
    "rule", [Sampling(1.0, 0, 1.0, 1.0, 0.0), Sampling(1.0, 100, 1.0, 1.0, 0.0), Sampling(min_p=0.5)]
)
def test_of_equal_tokens_the_first_comes_first(rule: Sampling) -> None:
    logits = np.tile(row(0.0, 2.0, 1.0, 2.0), 100)
    assert candidates(logits, rule)[1][:100].tolist() == [2 * index + 1 for index in range(100)]


class Last(np.random.Generator):
    """Draws the greatest number there is below 1."""

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return 1 - 2.0**-53


@pytest.mark.parametrize("logits", [row(3e38, -3e38, -3e38), row(5.0, -200.0, -200.0)])
def test_what_has_no_probability_is_never_drawn(logits: Floats) -> None:
    assert next_token(logits, (), left_by(), Last(np.random.PCG64(0))) == 0


def test_a_long_tail_of_unlikely_tokens_keeps_its_mass() -> None:
    logits = np.full(50_000, math.log(2e-8), np.float32)
    logits[0] = 0.0
    tail = 2e-8 * 49_999 / (1 + 2e-8 * 49_999)
    assert len(candidates(logits, left_by(top_p=1 - tail / 2))[0]) == pytest.approx(25_000, rel=0.05)


def test_a_nucleus_wider_than_the_first_look_is_found_by_the_full_ranking() -> None:
    probabilities, _ = candidates(np.zeros(10_000, np.float32), left_by(top_p=0.5))
    assert abs(len(probabilities) - 5000) <= 1


@given(vectors, st.integers(0, 2**64 - 1))
def test_temperature_zero_takes_the_greatest_logit_whatever_the_seed(logits: Floats, seed: int) -> None:
    assert drawn(logits, Sampling(temperature=0, repetition_penalty=1), seed) == int(logits.argmax())


@pytest.mark.parametrize("temperature", [5e-324, 1e-46, 1e-31])
def test_a_temperature_fp32_cannot_divide_by_is_greedy(temperature: float) -> None:
    logits = row(1.0, 3.0, 3.5, -2.0)
    assert drawn(logits, Sampling(temperature=temperature, repetition_penalty=1), 0) == 2


@pytest.mark.parametrize("rule", [Sampling(1e-29), Sampling(2.0), Sampling(0.0), left_by(2), left_by(top_p=0.9)])
def test_the_greatest_of_numbers_fp32_cannot_subtract_is_drawn(rule: Sampling) -> None:
    logits = row(-3e38, 3e38, 0.0)
    assert {drawn(logits, rule, seed, generated=(0,)) for seed in range(20)} == {1}
    assert log_probability(logits, 1) == 0.0


def test_the_penalty_comes_before_the_greedy_choice() -> None:
    logits = row(2.0, 1.9, -1.0)
    rule = Sampling(temperature=0, repetition_penalty=1.2)
    assert drawn(logits, rule, 0) == 0
    assert drawn(logits, rule, 0, generated=(0,)) == 1


def test_the_penalty_lowers_positive_and_negative_logits_of_seen_tokens_once_each() -> None:
    logits = row(2.0, -2.0, 3.0)
    assert penalised(logits, [0, 1, 1], 2.0).tolist() == [1.0, -4.0, 3.0]
    assert logits.tolist() == [2.0, -2.0, 3.0]


def test_top_k_applies_after_temperature_and_before_top_p() -> None:
    logits = log_of(0.4, 0.3, 0.2, 0.1)
    probabilities, tokens = candidates(logits, left_by(2, 0.9))
    assert tokens.tolist() == [0, 1]  # of the two kept, the first alone has mass 4/7, so both are needed
    assert probabilities.tolist() == pytest.approx([4 / 7, 3 / 7])
    assert len(candidates(logits, left_by(2, 0.5))[0]) == 1


def by_numpy(logits: Floats, top_k: int, top_p: float, min_p: float) -> dict[int, float]:
    """Probability of every token that may be drawn, rule by rule over the whole vocabulary, in double precision."""
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    if top_k and top_k < len(weights):
        weights[np.argsort(-weights, kind="stable")[top_k:]] = 0
    weights[weights < min_p * weights.max()] = 0
    ranking = np.argsort(-weights, kind="stable")
    mass = np.cumsum(weights[ranking]) / weights.sum()
    size = int(np.searchsorted(mass, top_p)) + 1 if top_p < 1 else len(weights)
    kept = {int(token): float(weights[token]) for token in ranking[:size] if weights[token]}
    return {token: weight / sum(kept.values()) for token, weight in kept.items()}


@given(
    st.integers(2, 600),
    st.integers(0, 2**32),
    st.floats(0.05, 2),
    st.integers(0, 50),
    st.floats(0.05, 1),
    st.floats(0, 0.99),
)
@example(size=47, seed=0, temperature=1.0, top_k=0, top_p=1 - 2**-53, min_p=0.0)
def test_candidates_are_those_of_an_independent_calculation(
    size: int, seed: int, temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    logits = (4 * torch.randn(size, generator=torch.Generator().manual_seed(seed))).numpy()
    probabilities, tokens = candidates(logits, Sampling(temperature, top_k, top_p, 1.0, min_p))
    found = dict(zip(tokens.tolist(), probabilities.tolist(), strict=True))
    expected = by_numpy(logits / temperature, top_k, top_p, min_p)
    # Single precision may put on its other side of a rule the one token on its edge, and what it cannot tell from nothing.
    either = found.keys() ^ expected.keys()
    assert len(either) <= 1 or sum(found.get(token, 0) + expected.get(token, 0) for token in either) < 1e-6
    assert found.keys() != expected.keys() or found == pytest.approx(expected, abs=1e-5)


@given(vectors, st.integers(0, 700), st.floats(0.05, 2), st.floats(1e-6, 0.999), st.integers(0, 2**64 - 1))
def test_what_is_drawn_is_at_least_min_p_times_as_probable_as_the_likeliest(
    logits: Floats, top_k: int, temperature: float, min_p: float, seed: int
) -> None:
    rule = Sampling(temperature, top_k, top_p=1, repetition_penalty=1, min_p=min_p)
    token = drawn(logits, rule, seed)
    ratio = math.exp((float(logits[token]) - float(logits.max())) / temperature)
    assert ratio >= min_p * (1 - 1e-4)


@given(vectors, st.integers(0, 700))
def test_a_min_p_too_small_to_leave_anything_out_changes_nothing(logits: Floats, top_k: int) -> None:
    (off, tokens), (least, same) = (candidates(logits, left_by(top_k, min_p=min_p)) for min_p in (0.0, 5e-324))
    assert off == pytest.approx(least, abs=1e-6)
    assert logits[tokens].tolist() == logits[same].tolist()


@given(vectors, st.floats(0.05, 2), st.integers(0, 2**64 - 1))
def test_a_min_p_near_one_is_greedy(logits: Floats, temperature: float, seed: int) -> None:
    rule = Sampling(temperature, top_p=1, repetition_penalty=1, min_p=math.nextafter(1, 0))
    assert float(logits[drawn(logits, rule, seed)]) == pytest.approx(float(logits.max()), abs=1e-5)


def test_min_p_applies_after_temperature_and_before_top_p() -> None:
    logits = log_of(0.6, 0.2, 0.15, 0.05)
    probabilities, tokens = candidates(logits, left_by(0, 0.9, 0.3))
    assert tokens.tolist() == [0, 1]  # 0.2 is a third of 0.6; of the two, the first alone has mass 3/4: both are needed
    assert probabilities.tolist() == pytest.approx([3 / 4, 1 / 4])
    assert candidates(logits, left_by(0, 0.7, 0.3))[1].tolist() == [0]
    assert candidates(logits, left_by(1, 0.9, 0.3))[1].tolist() == [0]
    hot = Sampling(
        temperature=2, top_p=1, repetition_penalty=1, min_p=0.3
    )  # at 2, 0.05 is still .29 of 0.6, 0.15 is .5
    assert {drawn(logits, hot, seed) for seed in range(300)} == {0, 1, 2}


def test_min_p_applies_after_the_penalty() -> None:
    logits = row(2.0, 1.0, -9.0)
    rule = Sampling(temperature=1, top_p=1, repetition_penalty=2, min_p=0.9)
    assert {drawn(logits, rule, seed) for seed in range(50)} == {0}
    assert {drawn(logits, rule, seed, generated=(0,)) for seed in range(50)} == {0, 1}


def test_at_a_high_temperature_the_default_keeps_the_tail_out() -> None:
    logits = np.full(2000, -4.0, np.float32)
    logits[7] = 3.0
    tailed, cut = (
        [drawn(logits, Sampling(1.3, top_p=0.98, min_p=min_p), seed) for seed in range(200)]
        for min_p in (0.0, DEFAULT_MIN_P)
    )
    assert tailed.count(7) < 100
    assert cut.count(7) == 200


def test_draws_follow_the_distribution_and_repeat_by_seed() -> None:
    logits = log_of(0.7, 0.2, 0.1)
    rule = Sampling(temperature=1, top_p=1, repetition_penalty=1)
    draws = [drawn(logits, rule, seed) for seed in range(3000)]
    assert draws == [drawn(logits, rule, seed) for seed in range(3000)]
    for token, probability in enumerate((0.7, 0.2, 0.1)):
        assert abs(draws.count(token) / 3000 - probability) < 5 * math.sqrt(probability * (1 - probability) / 3000)


def test_a_higher_temperature_spreads_the_draws() -> None:
    logits = row(2.0, 0.0, 0.0, 0.0)

    def firsts(temperature: float) -> int:
        rule = Sampling(temperature=temperature, top_p=1, repetition_penalty=1)
        return [drawn(logits, rule, seed) for seed in range(500)].count(0)

    assert firsts(0.4) > firsts(1.0) > firsts(2.0)


def test_log_probability_is_that_of_the_softmax() -> None:
    logits = row(1.0, 2.0, 3.0)
    assert log_probability(logits, 1) == pytest.approx(math.log(math.exp(2) / sum(map(math.exp, (1, 2, 3)))))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": math.nan},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"repetition_penalty": 0.9},
        {"repetition_penalty": math.inf},
        {"min_p": -0.1},
        {"min_p": 1.0},
        {"min_p": math.nan},
    ],
)
def test_values_outside_the_ranges_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be in"):
        Sampling(**wrong)  # type: ignore[arg-type]
