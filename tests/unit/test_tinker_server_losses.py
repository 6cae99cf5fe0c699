"""importance_sampling and ppo against their formulas in numpy, values and slopes."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from emotional_ai_training.tinker_server.engine import loss_named
from emotional_ai_training.tinker_server.engine.losses import LOSSES, LossName
from emotional_ai_training.tinker_server.errors import InvalidRequest

Values = NDArray[np.float64]


def policy(seed: int = 0) -> tuple[Values, Values, Values]:
    """Log-probabilities now and when sampled, and advantages; ratios on both sides of every bound."""
    draw = np.random.default_rng(seed)
    return draw.uniform(-3, -1, 200), draw.uniform(-3, -1, 200), draw.normal(size=200)


def by_hand(name: LossName, now: Values, then: Values, advantage: Values, low: float, high: float) -> Values:
    ratio = np.exp(now - then)
    if name is LossName.IMPORTANCE_SAMPLING:
        return -ratio * advantage
    return -np.minimum(ratio * advantage, np.clip(ratio, low, high) * advantage)


@pytest.mark.parametrize("name", [LossName.IMPORTANCE_SAMPLING, LossName.PPO])
@pytest.mark.parametrize("bounds", [(0.8, 1.2), (0.5, 3.0)])
def test_policy_losses_and_their_slopes_equal_numpy(name: LossName, bounds: tuple[float, float]) -> None:
    now, then, advantage = policy()
    leaf = torch.tensor(now, requires_grad=True)
    inputs = {
        "logprobs": torch.tensor(then),
        "advantages": torch.tensor(advantage),
        "clip_low_threshold": torch.full((200,), bounds[0], dtype=torch.float64),
        "clip_high_threshold": torch.full((200,), bounds[1], dtype=torch.float64),
    }
    losses = loss_named(name).per_token(leaf, inputs)
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach().numpy(), by_hand(name, now, then, advantage, *bounds), rtol=1e-12)
    step = 1e-6
    slopes = (
        by_hand(name, now + step, then, advantage, *bounds) - by_hand(name, now - step, then, advantage, *bounds)
    ) / (2 * step)
    assert leaf.grad is not None
    np.testing.assert_allclose(leaf.grad.numpy(), slopes, atol=1e-6)


def test_cross_entropy_takes_weights_of_both_signs() -> None:
    logprobs, weights = torch.tensor([-1.0, -2.0, -3.0]), torch.tensor([2.0, -1.0, 0.0])
    losses = loss_named("cross_entropy").per_token(logprobs, {"weights": weights})
    assert losses.tolist() == [2.0, -2.0, 0.0]


@pytest.mark.parametrize("name", ["cispo", "gspo", "dro", "custom", "", "Cross_Entropy"])
def test_a_loss_that_is_not_served_is_refused_with_the_list_of_those_that_are(name: str) -> None:
    with pytest.raises(InvalidRequest, match="served: cross_entropy, importance_sampling, ppo"):
        loss_named(name)


@pytest.mark.parametrize("name", list(LossName))
def test_a_loss_names_the_columns_it_misses_and_the_ones_it_would_ignore(name: LossName) -> None:
    loss = LOSSES[name]
    loss.check(frozenset(loss.required), {})
    with pytest.raises(InvalidRequest, match=f"needs loss_fn_inputs .*{loss.required[0]}"):
        loss.check(frozenset(loss.required[1:]), {})
    with pytest.raises(InvalidRequest, match="does not read loss_fn_inputs mask"):
        loss.check(frozenset({*loss.required, "mask"}), {})
    with pytest.raises(InvalidRequest, match="does not read loss_fn_config beta"):
        loss.check(frozenset(loss.required), {"beta": 0.1})
