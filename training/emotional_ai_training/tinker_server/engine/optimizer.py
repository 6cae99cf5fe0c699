"""AdamW over one flat vector.

m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
p = p (1 - lr wd) - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)            (Loshchilov and Hutter 2019)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from emotional_ai_training.tinker_server.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class AdamParams:
    """Settings of one step; `grad_clip_norm` 0 clips nothing. InvalidRequest outside the ranges below."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0

    def __post_init__(self) -> None:
        for name, fits, asked in (
            ("learning_rate", 0 <= self.learning_rate < float("inf"), "0 or more"),
            ("beta1", 0 <= self.beta1 < 1, "in [0, 1)"),
            ("beta2", 0 <= self.beta2 < 1, "in [0, 1)"),
            ("eps", 0 < self.eps < float("inf"), "above 0"),
            ("weight_decay", 0 <= self.weight_decay < float("inf"), "0 or more"),
            ("grad_clip_norm", 0 <= self.grad_clip_norm < float("inf"), "0 or more"),
        ):
            if not fits:
                raise InvalidRequest(f"{name} must be {asked}, got {getattr(self, name)}")


class Adam:
    """The moments of a vector of parameters, and the steps taken."""

    def __init__(self, parameters: Tensor) -> None:
        self._parameters = parameters
        self.first = torch.zeros_like(parameters)
        self.second = torch.zeros_like(parameters)
        self.steps = 0

    @torch.no_grad()
    def step(self, gradient: Tensor, params: AdamParams) -> float:
        """Moves the parameters along `gradient`, which is scaled in place where it is clipped; returns its norm before."""
        norm = float(torch.linalg.vector_norm(gradient))
        if 0 < params.grad_clip_norm < norm:
            gradient.mul_(params.grad_clip_norm / norm)
        self.steps += 1
        self.first.lerp_(gradient, 1 - params.beta1)
        self.second.mul_(params.beta2).addcmul_(gradient, gradient, value=1 - params.beta2)
        denominator = (self.second / (1 - params.beta2**self.steps)).sqrt_().add_(params.eps)
        self._parameters.mul_(1 - params.learning_rate * params.weight_decay)
        rate = params.learning_rate / (1 - params.beta1**self.steps)
        self._parameters.addcdiv_(self.first, denominator, value=-rate)
        return norm

    def load(self, first: Tensor, second: Tensor, steps: int) -> None:
        """Continues from moments saved before."""
        self.first.copy_(first)
        self.second.copy_(second)
        self.steps = steps
