"""Which reply of a cell is told which levels: the more of its state the judge heard in it, the stronger it is told.

Levels are drawn a row at a time; here those of a cell are dealt out anew, by rank. A low state is told the stronger, the less
of its contrary was heard. Where nothing shows, each level, the farthest first as it needs it most, goes to the reply of those
left in which its state was heard least. Pure.
"""

from collections.abc import Mapping, Sequence

from emotional_ai_training.conditioning import ADAPTERS, BASELINE, Levels, relative_deviation
from emotional_ai_training.dataset.rows import LOWS, UNSHOWN, chemical_of

Opinion = Mapping[str, float]
"""The judge's probability of each state in one reply."""


def dealt(state: str, drawn: Sequence[Levels], opinions: Sequence[Opinion]) -> list[Levels]:
    """The levels each reply is told, in the order of `opinions`: those `drawn` for the cell, in another order.

    Those of `balanced`, which has no chemical of its own, stay where they are. Raises ValueError if there are not as many.
    """
    if len(drawn) != len(opinions):
        raise ValueError(f"{len(drawn)} levels for {len(opinions)} replies")
    if state == UNSHOWN:
        return _to_the_least_heard(drawn, opinions)
    if (own := chemical_of(state)) is None:
        return list(drawn)
    sign = -1 if state in LOWS else 1
    by_dose = sorted(drawn, key=lambda levels: abs(levels[own] - BASELINE[own]))
    by_strength = sorted(range(len(opinions)), key=lambda i: sign * opinions[i][ADAPTERS[own]])
    told = dict(zip(by_strength, by_dose, strict=True))
    return [told[i] for i in range(len(opinions))]


def _to_the_least_heard(drawn: Sequence[Levels], opinions: Sequence[Opinion]) -> list[Levels]:
    told: dict[int, Levels] = {}
    below = {levels: relative_deviation(levels, BASELINE) for levels in drawn}
    for levels in sorted(drawn, key=lambda levels: min(below[levels])):
        low = ADAPTERS[below[levels].index(min(below[levels]))]
        told[min((i for i in range(len(opinions)) if i not in told), key=lambda i: opinions[i][low])] = levels
    return [told[i] for i in range(len(opinions))]
