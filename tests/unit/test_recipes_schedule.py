"""Learning rates and batches: bounded, complete, and the same for the same seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_training.recipes.schedule import batches, learning_rate


@given(total=st.integers(1, 500), peak=st.floats(1e-6, 0.1))
def test_the_rate_rises_to_its_peak_and_falls_to_a_tenth(total: int, peak: float) -> None:
    rates = [learning_rate(step, total, peak) for step in range(total)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(peak)
    assert all(0 < rate <= peak * (1 + 1e-9) for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] >= 0.1 * peak


@given(count=st.integers(1, 60), size=st.integers(1, 9), epochs=st.integers(1, 3), seed=st.integers(0, 5))
def test_every_epoch_takes_every_example_once(count: int, size: int, epochs: int, seed: int) -> None:
    steps = batches(count, size, epochs, seed)
    assert steps == batches(count, size, epochs, seed)
    per_epoch = -(-count // size)
    assert len(steps) == per_epoch * epochs
    for epoch in range(epochs):
        taken = [index for batch in steps[epoch * per_epoch : (epoch + 1) * per_epoch] for index in batch]
        assert sorted(taken) == list(range(count))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first = batches(50, 50, 2, 0)
    assert first[0] != first[1]
    assert first[0] != batches(50, 50, 1, 1)[0]
