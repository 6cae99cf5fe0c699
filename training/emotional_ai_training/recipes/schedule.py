"""Learning rates and the order of examples: pure functions of the step and the seed."""

import math
import random


def learning_rate(step: int, total: int, peak: float, warmup: float = 0.06, final: float = 0.1) -> float:
    """Linear rise over the first `warmup` share of steps, then half a cosine down to `final` of the peak.

    step in 0..total-1. Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    rise = max(1, round(total * warmup))
    if step < rise:
        return peak * (step + 1) / rise
    done = (step - rise) / max(1, total - rise)
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done)))


def batches(count: int, size: int, epochs: int, seed: int) -> list[list[int]]:
    """Indices of every step's batch: each epoch in its own random order, the last batch of an epoch perhaps smaller."""
    steps: list[list[int]] = []
    for epoch in range(epochs):
        order = list(range(count))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        steps += [order[start : start + size] for start in range(0, count, size)]
    return steps
