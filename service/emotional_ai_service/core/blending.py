"""The blend law: how much each adapter speaks in a state.

The five adapters of the emotional states, with x the levels and b the agent's baseline:

    e_i = clip((x_i - b_i) / (peak_i - b_i), 0, 1)    w_i = e_i / max(1, sum e)    w_balanced = max(0, 1 - sum e)

A further adapter j joins by its prototype p_j, the state in which it speaks alone:

    a_j = max(0, 1 - d(x, p_j) / r_j)    w_j = a_j / max(1, sum a)    the five share 1 - sum w_j as above

where d is the greatest difference among the chemicals, each as a share of the room on its side of the baseline (up to the peak
above it, down to 0 below it), and r_j the distance from p_j to the nearest other prototype. The weights are continuous, each in
[0, 1], sum to 1, and are one-hot at every prototype, for no adapter reaches further than its nearest neighbour.

Adapters of the same prototype share one weight equally, also a further one with one of the five. Pure; how
prototypes lie to each other is remembered.
"""

from functools import lru_cache
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


def blend(x: Vector4, baseline: Vector4, further: tuple[Prototype, ...] = ()) -> tuple[Share, ...]:
    """Weights at levels `x`, each in [0, 1], over ADAPTERS and then the `further` adapters in the order given."""
    five = blend_weights(x, baseline)
    if not further:
        return tuple(map(Share, ADAPTERS, five))
    ground, at = _ground(baseline, further), _place(x, baseline)
    affinity = [
        max(0.0, 1.0 - _distance(at, place) / reach) if reach else 0.0
        for place, reach in zip(ground.places, ground.reach, strict=True)
    ]
    total = sum(affinity)
    weights = [*(weight * max(0.0, 1.0 - total) for weight in five), *(a / max(1.0, total) for a in affinity)]
    return tuple(
        Share(name, weights[first] / ground.first.count(first))
        for name, first in zip((*ADAPTERS, *(one.adapter for one in further)), ground.first, strict=True)
    )


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


class _Ground(NamedTuple):
    """How prototypes lie to each other."""

    places: tuple[Vector4, ...]
    """Of the further adapters, in shares of the room."""
    reach: tuple[float, ...]
    """Distance to the nearest other prototype; 0 for one that shares the weight of an adapter before it."""
    first: tuple[int, ...]
    """For each adapter, the five first, the index of the first one of its prototype."""


@lru_cache(maxsize=1024)
def _ground(baseline: Vector4, further: tuple[Prototype, ...]) -> _Ground:
    places = tuple(_place(one.levels, baseline) for one in further)
    every = (*_FIVE, *places)
    first = tuple(
        next(index for index, other in enumerate(every) if _distance(place, other) <= SAME) for place in every
    )
    reach = tuple(
        min(gap for other in every if (gap := _distance(place, other)) > SAME) if first[index] == index else 0.0
        for index, place in enumerate(places, start=len(_FIVE))
    )
    return _Ground(places, reach, first)


def _distance(a: Vector4, b: Vector4) -> float:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]), abs(a[2] - b[2]), abs(a[3] - b[3]))
