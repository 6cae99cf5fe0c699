"""Who speaks a reply under a blend, where one adapter has to. Pure but for the memory of sessions and the draw handed in."""

from collections import OrderedDict
from collections.abc import Mapping
from random import Random
from typing import Final

from emotional_ai_service.decoding.errors import CannotBlend
from emotional_ai_service.decoding.messages import Blend

BACKEND: Final = "tinker"
BASE: Final = ""
"""Stands for the base model, bare, where adapters are named."""

Weights = Mapping[str, float]
"""Weights of adapters by name, none of them 0."""


def weights_of(blend: Blend) -> Weights:
    """The weights of a blend that are not 0. Raises CannotBlend for weights per layer."""
    if any(one.layers for one in blend):
        raise CannotBlend(BACKEND, "applies an adapter to all layers alike; send one weight instead of one per layer")
    return {one.adapter: one.weight for one in blend if one.weight != 0}


def drawn_by_weight(weights: Weights, draw: Random) -> str:
    """An adapter, each with the probability of its weight over the sum of weights.

    Raises CannotBlend for a negative weight, which no probability can stand for.
    """
    turned = sorted(name for name, weight in weights.items() if weight < 0)
    if turned:
        raise CannotBlend(
            BACKEND, f"draws a speaker by weight in mixture mode and {turned[0]!r} has a negative one; send 0 or more"
        )
    point = draw.random() * sum(weights.values())
    for name, weight in weights.items():
        point -= weight
        if point < 0:
            return name
    return next(reversed(list(weights)))


class Speakers:
    """The adapter nearest to a blend, with hysteresis: a session keeps its speaker until another leads by `margin`.

    Remembers the `sessions` that spoke last.
    """

    def __init__(self, margin: float, sessions: int) -> None:
        self._margin = margin
        self._sessions = sessions
        self._last: OrderedDict[str, str] = OrderedDict()

    def nearest(self, session: str, weights: Weights) -> str | None:
        """The adapter of greatest weight, the first of equals, or the session's last speaker while it trails by less than
        the margin. None where no weight is positive."""
        greatest = max(weights, key=weights.__getitem__, default=None)
        if greatest is None or weights[greatest] < 0:
            return None
        last = self._last.get(session)
        if last is not None and weights.get(last, 0.0) > 0 and weights[greatest] - weights[last] < self._margin:
            return last
        return greatest

    def spoke(self, session: str, adapter: str) -> None:
        """Remembers who spoke for a session; nothing for nobody's."""
        if not session:
            return
        self._last[session] = adapter
        self._last.move_to_end(session)
        if len(self._last) > self._sessions:
            self._last.popitem(last=False)

    def __len__(self) -> int:
        return len(self._last)
