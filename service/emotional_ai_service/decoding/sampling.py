"""From logits to the next token. Pure but for the generator handed in.

The rules apply in this order: repetition penalty, temperature, top_k, top_p. Temperature 0 takes the greatest logit
after the penalty; top_k and top_p cannot change that.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from emotional_ai_service.decoding.messages import Sampling

_NEAR = 12.0
"""How far below the greatest logit candidates are looked for before the whole vocabulary is sorted; at usual settings the
nucleus lies within."""


def next_token(logits: Tensor, generated: Sequence[int], rule: Sampling, generator: torch.Generator) -> int:
    """Draws a token from `logits` [vocabulary], fp32, given the tokens generated so far."""
    logits = penalised(logits, generated, rule.repetition_penalty)
    if rule.temperature == 0:
        return int(logits.argmax())
    # From the greatest down, so that the least of temperatures divides nothing into infinity.
    probabilities, tokens = candidates((logits - logits.max()) / rule.temperature, rule.top_k, rule.top_p)
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


def candidates(logits: Tensor, top_k: int, top_p: float) -> tuple[Tensor, Tensor]:
    """Tokens that may be drawn, most probable first, and their probabilities, which sum to 1.

    top_p keeps the smallest set whose mass reaches it (Holtzman et al. 2020, arXiv:1904.09751), at least one token.
    """
    if top_k:
        values, tokens = logits.topk(min(top_k, len(logits)))
        log_mass = torch.logsumexp(values, 0)
    else:
        log_mass = torch.logsumexp(logits, 0)
        near = (logits > logits.max() - _NEAR).nonzero().flatten()
        if top_p >= 1 or float(torch.exp(logits[near] - log_mass).sum()) < top_p:
            near = torch.arange(len(logits))
        values, order = logits[near].sort(descending=True)
        tokens = near[order]
    probabilities = torch.exp(values - log_mass)
    before = probabilities.cumsum(0) - probabilities
    inside = int((before < top_p).sum()) if top_p < 1 else len(probabilities)
    chosen = probabilities[: max(inside, 1)]
    return chosen / chosen.sum(), tokens[: max(inside, 1)]


def log_probability(logits: Tensor, token: int) -> float:
    """Natural logarithm of the probability of `token` under `logits` [vocabulary]."""
    return float(logits[token] - torch.logsumexp(logits, 0))
