"""Drafts of one adapter, resampled towards the blend of all. Pure but for the draw handed in.

To first order in the weights, the logits of a model blended with weights w_i are those of the base plus sum_i w_i (logits_i -
logits_0); for whole replies x this is the geometric mixture

    p(x) ~ p_0(x)^(1 - sum_i w_i) prod_i p_i(x)^(w_i),

the base model having what the adapters leave of 1 (less than 0 if they have more): the product of experts of Hinton 2002,
"Training products of experts by minimizing contrastive divergence", and where the weights sum to 1 the logarithmic opinion
pool. Drafts x_k from one model d are resampled in proportion to p(x_k) / d(x_k), which tends to p as drafts grow in number
(sampling-importance-resampling, Rubin 1987; Smith and Gelfand 1992, "Bayesian statistics without tears"):

    log v_k = (sum_i c_i log p_i(x_k) - log d(x_k)) / T,    c the weights and the base's share.

At temperature T both densities are the model's own to the power 1/T; the normalisers per token that this leaves out are not
known from the scores of the drawn tokens. top_k and top_p cut the drafts: a reply outside the drafting adapter's nucleus
cannot appear. With few drafts the reply stays close to that adapter: four drafts of 40 tokens from the shipped adapters, at
temperature 0.8 and top_p 0.92, are worth 1.3 to 1.6 independent ones (1 / sum_k v_k^2, Kish 1965), so that the draft most like
the blend is nearly always the one taken.
"""

import math
from collections.abc import Mapping, Sequence
from random import Random

from emotional_ai_service.decoding.tinker.choosing import BASE, Weights


def shares(weights: Weights) -> Weights:
    """Exponents of the geometric mixture, which sum to 1: the weights, and the base model's under BASE where it has one."""
    rest = 1 - math.fsum(weights.values())
    return {**weights, BASE: rest} if abs(rest) > 1e-9 else dict(weights)


def resampling(
    exponents: Weights, scores: Mapping[str, Sequence[float]], draft: str, temperature: float
) -> tuple[float, ...]:
    """The probability with which each draft is to be taken.

    `scores` holds, for every model of `exponents` and for `draft`, the log-probability of each draft; temperature > 0.
    """
    logs = [
        (math.fsum(share * scores[name][index] for name, share in exponents.items()) - own) / temperature
        for index, own in enumerate(scores[draft])
    ]
    greatest = max(logs)
    masses = [math.exp(log - greatest) for log in logs]
    total = math.fsum(masses)
    return tuple(mass / total for mass in masses)


def resampled(probabilities: Sequence[float], draw: Random) -> int:
    """The index of a draft, drawn by those probabilities."""
    point = draw.random()
    for index, probability in enumerate(probabilities):
        point -= probability
        if point < 0:
            return index
    return max(range(len(probabilities)), key=probabilities.__getitem__)
