"""From logits to the next token. Pure but for the generator handed in.

The rules apply in this order: repetition penalty, temperature, top_k, min_p, top_p, each to what the one before leaves.
Temperature 0 takes the greatest logit after the penalty; top_k, min_p and top_p cannot change that. So does a temperature by
which fp32 cannot divide: below LEAST_DIVISOR.

All by numpy, in fp32 but for running sums, in which what is unlikely would be lost.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotional_ai_service.decoding.llama import Floats
from emotional_ai_service.decoding.messages import LEAST_DIVISOR, Sampling

Tokens = NDArray[np.intp]
_NEAR = 12.0
"""How far below the greatest logit candidates are looked for before the whole vocabulary is sorted; at usual settings the
nucleus lies within."""


@np.errstate(over="ignore")  # what is infinitely less likely than the likeliest is not drawn
def next_token(logits: Floats, generated: Sequence[int], rule: Sampling, draw: np.random.Generator) -> int:
    """Draws a token from `logits` [vocabulary], fp32, given the tokens generated so far."""
    logits = penalised(logits, generated, rule.repetition_penalty)
    if rule.temperature < LEAST_DIVISOR:
        return int(logits.argmax())
    probabilities, tokens = candidates(logits, rule)
    reached = probabilities.cumsum(dtype=np.float64)
    # Below the last sum, since what is drawn is below 1: so a token of some probability.
    return int(tokens[reached.searchsorted(draw.random() * reached[-1], side="right")])


def penalised(logits: Floats, generated: Sequence[int], penalty: float) -> Floats:
    """Logits of tokens already generated, divided by `penalty` if positive and multiplied if negative.

    The rule of CTRL (Keskar et al. 2019, arXiv:1909.05858), on the reply alone: words of the prompt may be repeated freely.
    """
    if penalty == 1 or not generated:
        return logits
    seen = np.fromiter(generated, np.intp, len(generated))  # a token that comes twice is written the same number twice
    values, factor = logits[seen], np.float32(penalty)
    lowered = logits.copy()
    lowered[seen] = np.where(values > 0, values / factor, values * factor)
    return lowered


def candidates(logits: Floats, rule: Sampling) -> tuple[Floats, Tokens]:
    """Tokens that may be drawn, most probable first, and their probabilities, which sum to 1; the penalty is applied before.

    min_p leaves out what is less than that many times as probable as the likeliest (Nguyen et al. 2024, arXiv:2407.01082).
    top_p keeps the smallest set whose mass reaches it (Holtzman et al. 2020, arXiv:1904.09751), at least one token.
    """
    values, tokens, log_mass = _ranked(logits, rule)
    probabilities = np.exp(values - log_mass)
    before = probabilities.cumsum(dtype=np.float64) - probabilities
    inside = int(np.count_nonzero(before < rule.top_p)) if rule.top_p < 1 else len(probabilities)
    chosen = probabilities[: max(inside, 1)]
    return chosen / chosen.sum(), tokens[: max(inside, 1)]


def _ranked(logits: Floats, rule: Sampling) -> tuple[Floats, Tokens, np.float32]:
    """Logits over the temperature, the greatest, 0, first, that hold the nucleus of what top_k and min_p leave; their tokens;
    the log-mass of all left."""
    greatest, top_k = logits.max(), min(rule.top_k or len(logits), len(logits))
    if rule.min_p or top_k < len(logits):
        if rule.min_p:
            lowest = greatest + np.float32(rule.temperature * math.log(rule.min_p))
        else:
            lowest = np.partition(logits, -top_k)[-top_k]
        values, tokens = _from(logits, logits >= lowest, rule.temperature)
        return values[:top_k], tokens[:top_k], _log_mass(values[:top_k])
    every = _over(logits, greatest, rule.temperature)
    log_mass = _log_mass(every)
    near = every > -_NEAR
    if rule.top_p >= 1 or float(np.exp(every[near] - log_mass).sum()) < rule.top_p:
        near = np.ones_like(near)
    return *_from(logits, near, rule.temperature), log_mass


def _from(logits: Floats, among: NDArray[np.bool_], temperature: float) -> tuple[Floats, Tokens]:
    """The logits where `among` is true over the temperature, greatest first, and their tokens; of equal ones the first token
    first."""
    tokens = np.flatnonzero(among)
    values = logits[tokens]
    order = np.argsort(-values, kind="stable")
    values = values[order]
    return _over(values, values[0], temperature), tokens[order]


def _over(logits: Floats, greatest: np.float32, temperature: float) -> Floats:
    """Logits over the temperature, from the greatest down: what overflows is infinitely less likely, never the greatest."""
    return (logits - greatest) / np.float32(temperature)


def _log_mass(logits: Floats) -> np.float32:
    greatest = logits.max()
    return np.float32(greatest + np.log(np.exp(logits - greatest).sum()))


@np.errstate(over="ignore")
def log_probability(logits: Floats, token: int) -> float:
    """Natural logarithm of the probability of `token` under `logits` [vocabulary]."""
    return float(logits[token] - _log_mass(logits))
