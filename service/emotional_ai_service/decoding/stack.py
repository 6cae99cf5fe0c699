"""Several adapters as one: their factors one below the other, adapter by adapter, as a runtime multiplies them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.llama import GROUPS, Floats, LlamaShape, layers_of

STEP: Final = 8
"""Rows come in multiples of this, the last of zeros, so that few shapes occur."""
REMEMBERED: Final = 4
"""Stacks kept, since sessions move between few sets of adapters."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Stack:
    """The factors of some adapters in a fixed order, which is that of the columns of the weights."""

    adapters: tuple[LoadedAdapter, ...]
    down: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, inputs], rows a multiple of STEP."""
    up: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, outputs]."""
    owners: Mapping[str, NDArray[np.intp]]
    """For each group the column of the adapter that each row is of, the rows of zeros left out."""

    def spread(self, weights: Floats, group: str, into: Floats | None = None) -> Floats:
        """Weights [..., adapters] as the group's rows need them: [..., rows], written over `into` if that is given."""
        owners = self.owners[group]
        if into is None:
            into = np.zeros((*weights.shape[:-1], len(self.down[0, group])), np.float32)
        weights.take(owners, axis=-1, out=into[..., : len(owners)], mode="clip")  # the only mode without a buffer
        return into


def stack(adapters: Sequence[LoadedAdapter], shape: LlamaShape) -> Stack:
    """The stack of `adapters`, which may be none."""
    down: dict[tuple[int, str], Floats] = {}
    up: dict[tuple[int, str], Floats] = {}
    for layer, group in layers_of(shape):
        inputs, outputs = shape.group_widths(group)
        at = (layer, group)
        missing = -sum(one.rows[group] for one in adapters) % STEP
        down[at] = np.concatenate([*(one.down[at] for one in adapters), np.zeros((missing, inputs), np.float32)])
        up[at] = np.concatenate([*(one.up[at] for one in adapters), np.zeros((missing, sum(outputs)), np.float32)])
    owners = {
        group: np.repeat(np.arange(len(adapters)), [one.rows[group] for one in adapters]).astype(np.intp)
        for group in GROUPS
    }
    return Stack(tuple(adapters), down, up, owners)


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
