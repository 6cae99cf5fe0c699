"""Several adapters as one: their factors one below the other, adapter by adapter, as a runtime multiplies them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.llama import GROUPS, Floats, LlamaShape, layers_of

REMEMBERED: Final = 4
"""Stacks kept, since sessions move between few sets of adapters."""


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """The factors of some adapters in a fixed order, which is that of the columns of the weights."""

    adapters: tuple[LoadedAdapter, ...]
    down: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, inputs]."""
    up: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, outputs]."""
    repeats: Mapping[str, NDArray[np.intp]]
    """Rows each adapter takes in each group."""

    def spread(self, weights: Floats, group: str) -> Floats:
        """Weights [..., adapters] as the group's rows need them: [..., rows]."""
        return np.repeat(weights, self.repeats[group], axis=-1)


def stack(adapters: Sequence[LoadedAdapter], shape: LlamaShape) -> Stack:
    """The stack of `adapters`, which may be none."""
    down: dict[tuple[int, str], Floats] = {}
    up: dict[tuple[int, str], Floats] = {}
    for layer, group in layers_of(shape):
        inputs, outputs = shape.group_widths(group)
        at = (layer, group)
        down[at] = np.concatenate([np.zeros((0, inputs), np.float32), *(one.down[at] for one in adapters)])
        up[at] = np.concatenate([np.zeros((0, sum(outputs)), np.float32), *(one.up[at] for one in adapters)])
    repeats = {group: np.array([one.rows[group] for one in adapters], np.intp) for group in GROUPS}
    return Stack(tuple(adapters), down, up, repeats)


class Stacks:
    """Stacks by their adapters, the last few kept."""

    def __init__(self, shape: LlamaShape) -> None:
        self._shape = shape
        self._kept: OrderedDict[tuple[LoadedAdapter, ...], Stack] = OrderedDict()

    def of(self, adapters: tuple[LoadedAdapter, ...]) -> Stack:
        """The stack of exactly these adapters in this order."""
        found = self._kept.get(adapters)
        if found is None:
            found = self._kept[adapters] = stack(adapters, self._shape)
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        self._kept.move_to_end(adapters)
        return found

    def forget(self, adapter: LoadedAdapter) -> None:
        """Lets go of every stack with this adapter in it."""
        for adapters in [kept for kept in self._kept if adapter in kept]:
            del self._kept[adapters]
