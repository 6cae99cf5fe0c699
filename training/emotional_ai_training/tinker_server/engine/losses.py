"""The losses of the training API, per token, as functions of the target's log-probability.

Every loss is a sum over tokens; `lp` is the log-probability of the target under the weights being trained, `q` the one
the sampler reported, A the advantage:

    cross_entropy          -w lp
    importance_sampling    -exp(lp - q) A
    ppo                    -min(r A, clip(r, low, high) A)  with r = exp(lp - q)     (Schulman et al. 2017, eq. 7)

Weights and advantages may be negative: a client's own loss C arrives as cross_entropy with w = -dC/dlp.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

from emotional_ai_training.tinker_server.errors import InvalidRequest

CLIP_LOW: Final = 0.8
CLIP_HIGH: Final = 1.2
"""Bounds of the ratio in ppo unless the request names others."""


class LossName(StrEnum):
    """The losses served."""

    CROSS_ENTROPY = "cross_entropy"
    IMPORTANCE_SAMPLING = "importance_sampling"
    PPO = "ppo"


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss: which columns a datum must bring, which it may, and the loss of each token."""

    name: LossName
    required: tuple[str, ...]
    coefficient: str
    """The column whose zeros mark tokens that move nothing."""
    per_token: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    """Losses of tokens from their log-probabilities and the columns, all of one shape."""
    optional: tuple[str, ...] = ()
    settings: Mapping[str, float] = field(default_factory=dict)
    """Numbers the request may set, and what they are if it does not; a column of the same name goes before."""

    def check(self, columns: frozenset[str], config: Mapping[str, float]) -> None:
        """Raises InvalidRequest unless the columns and settings are exactly what this loss reads."""
        if missing := sorted(set(self.required) - columns):
            raise InvalidRequest(f"{self.name} needs loss_fn_inputs {', '.join(missing)}")
        if strange := sorted(columns - {"target_tokens", *self.required, *self.optional}):
            raise InvalidRequest(f"{self.name} does not read loss_fn_inputs {', '.join(strange)}")
        if unread := sorted(set(config) - set(self.settings)):
            raise InvalidRequest(f"{self.name} does not read loss_fn_config {', '.join(unread)}")


def loss_named(name: str) -> Loss:
    """The loss of that name; InvalidRequest lists the ones served."""
    try:
        return LOSSES[LossName(name)]
    except ValueError as error:
        raise InvalidRequest(f"loss {name!r} is not served here; served: {', '.join(LossName)}") from error


def _cross_entropy(logprobs: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    return -inputs["weights"] * logprobs


def _importance_sampling(logprobs: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    return -torch.exp(logprobs - inputs["logprobs"]) * inputs["advantages"]


def _ppo(logprobs: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    ratio = torch.exp(logprobs - inputs["logprobs"])
    clipped = torch.clamp(ratio, inputs["clip_low_threshold"], inputs["clip_high_threshold"])
    return -torch.minimum(ratio * inputs["advantages"], clipped * inputs["advantages"])


_POLICY: Final = ("logprobs", "advantages")
_CLIP: Final = {"clip_low_threshold": CLIP_LOW, "clip_high_threshold": CLIP_HIGH}
LOSSES: Final[Mapping[LossName, Loss]] = {
    LossName.CROSS_ENTROPY: Loss(LossName.CROSS_ENTROPY, ("weights",), "weights", _cross_entropy),
    LossName.IMPORTANCE_SAMPLING: Loss(LossName.IMPORTANCE_SAMPLING, _POLICY, "advantages", _importance_sampling),
    LossName.PPO: Loss(LossName.PPO, _POLICY, "advantages", _ppo, tuple(_CLIP), _CLIP),
}
