"""From logits to the next token. Pure but for the generator handed in.

The rules apply in this order: repetition penalty, temperature, top_k, min_p, top_p, each to what the one before leaves.
Temperature 0 takes the greatest logit after the penalty; top_k, min_p and top_p cannot change that. So does a temperature by
which fp32 cannot divide: below LEAST_DIVISOR.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emotional_ai_service.decoding.messages import LEAST_DIVISOR, Sampling

_NEAR = 12.0
"""How far below the greatest logit candidates are looked for before the whole vocabulary is sorted; at usual settings the
nucleus lies within."""


def next_token(logits: Tensor, generated: Sequence[int], rule: Sampling, generator: torch.Generator) -> int:
    """Draws a token from `logits` [vocabulary], fp32, given the tokens generated so far."""
    logits = penalised(logits, generated, rule.repetition_penalty)
    if rule.temperature < LEAST_DIVISOR:
        return int(logits.numpy().argmax())  # a tenth of what torch takes on one thread
    # From the greatest down, so that the least of temperatures divides nothing into infinity.
    scaled = (logits - logits.max()) / rule.temperature
    probabilities, tokens = candidates(scaled, rule.top_k, rule.top_p, rule.min_p)
    return int(tokens[torch.multinomial(probabilities, 1, generator=generator)])


def penalised(logits: Tensor, generated: Sequence[int], penalty: float) -> Tensor:
    """Logits of tokens already generated, divided by `penalty` if positive and multiplied if negative.

    The rule of CTRL (Keskar et al. 2019, arXiv:1909.05858), on the reply alone: words of the prompt may be repeated freely.
    """
    if penalty == 1 or not generated:
        return logits
    seen = torch.tensor(sorted(set(generated)))
    values = logits[seen]
    return logits.index_put((seen,), torch.where(values > 0, values / penalty, values * penalty))


def candidates(logits: Tensor, top_k: int, top_p: float, min_p: float) -> tuple[Tensor, Tensor]:
    """Tokens that may be drawn, most probable first, and their probabilities, which sum to 1.

    min_p leaves out what is less than that many times as probable as the likeliest (Nguyen et al. 2024, arXiv:2407.01082).
    top_p keeps the smallest set whose mass reaches it (Holtzman et al. 2020, arXiv:1904.09751), at least one token.
    """
    values, tokens, log_mass = _ranked(logits, top_k, top_p, min_p)
    probabilities = torch.exp(values - log_mass)
    before = probabilities.cumsum(0) - probabilities
    inside = int((before < top_p).sum()) if top_p < 1 else len(probabilities)
    chosen = probabilities[: max(inside, 1)]
    return chosen / chosen.sum(), tokens[: max(inside, 1)]


def _ranked(logits: Tensor, top_k: int, top_p: float, min_p: float) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, greatest first, that hold the nucleus of what top_k and min_p leave; their tokens; the log-mass of all left."""
    if min_p:
        values, tokens = _from(logits, logits >= logits.max() + math.log(min_p))
        kept = min(top_k or len(values), len(values))
        return values[:kept], tokens[:kept], torch.logsumexp(values[:kept], 0)
    if top_k:
        values, tokens = logits.topk(min(top_k, len(logits)))
        return values, tokens, torch.logsumexp(values, 0)
    log_mass = torch.logsumexp(logits, 0)
    near = logits > logits.max() - _NEAR
    if top_p >= 1 or float(torch.exp(logits[near] - log_mass).sum()) < top_p:
        near = torch.ones_like(near)
    return *_from(logits, near), log_mass


def _from(logits: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """The logits where `among` is true, greatest first, and their tokens."""
    tokens = among.nonzero().flatten()
    values, order = logits[tokens].sort(descending=True)
    return values, tokens[order]


def log_probability(logits: Tensor, token: int) -> float:
    """Natural logarithm of the probability of `token` under `logits` [vocabulary]."""
    return float(logits[token] - torch.logsumexp(logits, 0))
