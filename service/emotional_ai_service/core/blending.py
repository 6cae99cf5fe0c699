"""The blend law: how much each adapter speaks in a state.

The five adapters of the emotional states, with x the levels and b the agent's baseline:

    e_i = clip((x_i - b_i) / (peak_i - b_i), 0, 1)    w_i = e_i / max(1, sum e)    w_balanced = max(0, 1 - sum e)

A further adapter j joins by its prototype p_j, the state in which it speaks alone:

    a_j = max(0, 1 - d(x, p_j) / r_j)    w_j = a_j / max(1, sum a)    the five share 1 - sum w_j as above

where d is the greatest difference among the chemicals, each as a share of the room on its side of the baseline (up to the peak
above it, down to 0 below it), and r_j the distance from p_j to the nearest other prototype. The weights are continuous, each in
[0, 1], sum to 1, and are one-hot at every prototype, for no adapter reaches further than its nearest neighbour.

Adapters of the same prototype share one weight equally, also a further one with one of the five. Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from emotional_ai_service.core.names import Vector4
from emotional_ai_training.conditioning import ADAPTERS, PEAKS

SAME: Final = 1e-9
"""Distance up to which two prototypes are the same."""
_FIVE: Final[tuple[Vector4, ...]] = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0))
"""Where ADAPTERS stand in shares of the room, whatever the baseline."""


class Prototype(NamedTuple):
    """An adapter, and the levels at which it speaks alone, each in [0, 1]."""

    adapter: str
    levels: Vector4


class Share(NamedTuple):
    """How much of a blend an adapter is."""

    adapter: str
    weight: float
    """In [0, 1]."""


def blend(x: Vector4, baseline: Vector4, further: Sequence[Prototype] = ()) -> tuple[Share, ...]:
    """Weights at levels `x`, each in [0, 1], over ADAPTERS and then the `further` adapters in the order given."""
    five = blend_weights(x, baseline)
    if not further:
        return tuple(map(Share, ADAPTERS, five))
    names = [*ADAPTERS, *(one.adapter for one in further)]
    places = [*_FIVE, *(_place(one.levels, baseline) for one in further)]
    first = [_first_at(place, places) for place in places]
    at = _place(x, baseline)
    affinity = [
        _affinity(at, place, places) if first[index] == index >= len(_FIVE) else 0.0
        for index, place in enumerate(places)
    ]
    total = sum(affinity)
    weights = [a / max(1.0, total) for a in affinity]
    for index, weight in enumerate(five):
        weights[index] = weight * max(0.0, 1.0 - total)
    return tuple(Share(name, weights[one] / first.count(one)) for name, one in zip(names, first, strict=True))


def blend_weights(x: Vector4, baseline: Vector4) -> tuple[float, ...]:
    """Weights over ADAPTERS. Where a baseline lies at or above a peak, that adapter starts at the baseline and peaks at 1."""
    excess = [min(max(share, 0.0), 1.0) for share in _place(x, baseline)]
    total = sum(excess)
    return (*(e / max(1.0, total) for e in excess), max(0.0, 1.0 - total))


def _place(levels: Vector4, baseline: Vector4) -> Vector4:
    """Levels as shares of the room: 0 at the baseline, 1 at the peak, -1 where a chemical is gone."""
    shares = [
        (level - b) / ((peak if peak > b else 1.0) - b) if level >= b else (level - b) / b
        for level, b, peak in zip(levels, baseline, PEAKS, strict=True)
    ]
    return shares[0], shares[1], shares[2], shares[3]


def _first_at(place: Vector4, places: Sequence[Vector4]) -> int:
    """Index of the first of `places`, which holds `place`, that is the same."""
    return next(index for index, other in enumerate(places) if _distance(place, other) <= SAME)


def _affinity(at: Vector4, place: Vector4, places: Sequence[Vector4]) -> float:
    reach = min(gap for other in places if (gap := _distance(place, other)) > SAME)
    return max(0.0, 1.0 - _distance(at, place) / reach)


def _distance(a: Vector4, b: Vector4) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))
