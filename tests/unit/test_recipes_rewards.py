"""Curiosity's reward: silent at and below its threshold, bounded above, and fair within a group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_training.recipes.rewards import advantages, fresh_pairs, gate, novelty, repetition, rewards

unit = st.floats(0, 1)


def unit_rows(rng: np.random.Generator, count: int) -> np.ndarray:
    rows = rng.normal(size=(count, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(
    task=st.lists(unit, min_size=1, max_size=6),
    dopamine=st.floats(0, 0.6),
    novel=st.floats(0, 2),
    weight=st.floats(0, 9),
)
def test_curiosity_earns_exactly_nothing_up_to_a_dopamine_of_point_six(
    task: list[float], dopamine: float, novel: float, weight: float
) -> None:
    earned = rewards(task, [novel] * len(task), dopamine, weight, cap=0.7)
    assert earned.tolist() == np.asarray(task, dtype=np.float32).tolist()


def test_the_gate_opens_from_point_six_to_point_nine() -> None:
    assert gate(0.6) == 0
    assert gate(0.75) == pytest.approx(0.5)
    assert gate(0.9) == gate(1.0) == 1


def test_novelty_beyond_the_cap_earns_no_more() -> None:
    low, at, beyond = rewards([0, 0, 0], [0.3, 0.7, 1.9], dopamine=0.9, strength=2, cap=0.7)
    assert low == pytest.approx(0.6)
    assert at == beyond == pytest.approx(1.4)


def test_a_reply_like_the_others_is_less_novel_than_one_apart() -> None:
    same = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=np.float32)
    found = novelty(same, np.zeros((0, 0), dtype=np.float32))
    assert found[0] == pytest.approx(1 / 3)
    assert found[3] == pytest.approx(1.0)


def test_remembered_replies_make_their_like_less_novel() -> None:
    rng = np.random.default_rng(0)
    group = unit_rows(rng, 5)
    alone = novelty(group, np.zeros((0, 0), dtype=np.float32))
    remembered = novelty(group, np.repeat(group[:1], 3, axis=0))
    assert remembered[0] == pytest.approx(0, abs=1e-6)
    assert alone[0] > 0.1


def test_a_single_reply_without_memory_has_nothing_to_differ_from() -> None:
    assert novelty(np.eye(1, 4, dtype=np.float32), np.zeros((0, 0), dtype=np.float32)).tolist() == [0.0]


@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=8))
def test_advantages_are_centred_and_keep_the_order(values: list[float]) -> None:
    group = np.array(values, dtype=np.float32)
    found = advantages(group)
    assert float(found.sum()) == pytest.approx(0, abs=1e-2)
    assert all((found[i] <= found[j]) for i in range(len(group)) for j in range(len(group)) if group[i] < group[j])


def test_equal_rewards_teach_nothing() -> None:
    assert advantages(np.full(4, 0.3, dtype=np.float32)).tolist() == [0, 0, 0, 0]


def test_repetition_counts_pairs_already_used() -> None:
    assert repetition([1, 2, 3, 4]) == 0
    assert repetition([1, 2, 1, 2, 1]) == 0.5
    assert repetition([7]) == 0


def test_fresh_pairs_are_those_no_other_reply_has() -> None:
    assert fresh_pairs(["so glad you came", "so glad we met", "word", ""]).tolist() == pytest.approx(
        [2 / 3, 2 / 3, 0, 0]
    )
    assert fresh_pairs(["the same", "the same"]).tolist() == [0, 0]
