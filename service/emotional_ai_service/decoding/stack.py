"""Several adapters as one: their factors one below the other, adapter by adapter, as a runtime multiplies them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.llama import GROUPS, Floats, LlamaShape, layers_of, parameters

Number = TypeVar("Number", bound=np.generic)
STEP: Final = 8
"""Rows come in multiples of this, the last of zeros, so that few shapes occur."""
REMEMBERED: Final = 4
"""Stacks kept, since sessions move between few sets of adapters."""
HARDLY: Final = 0.1
"""Share of the model's own numbers that adapters may take which are multiplied though nobody speaks with them."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Stack:
    """The factors of some adapters in a fixed order, which is that of the columns of the weights."""

    adapters: tuple[LoadedAdapter, ...]
    down: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, inputs], rows a multiple of STEP."""
    up: Mapping[tuple[int, str], Floats]
    """By (layer, group): [rows, outputs]."""
    owners: Mapping[str, NDArray[np.intp]]
    """For each group the column of the adapter that each row is of; the rows of zeros are of any."""

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of the factors, in the order of GROUPS; the same in every layer."""
        return tuple(len(self.owners[group]) for group in GROUPS)

    def spread(self, weights: NDArray[Number], group: str) -> NDArray[Number]:
        """Weights [..., adapters] as the group's rows need them: [..., rows]."""
        return weights.take(self.owners[group], axis=-1)


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
        group: np.pad(owned, (0, -len(owned) % STEP))
        for group in GROUPS
        for owned in [np.repeat(np.arange(len(adapters)), [one.rows[group] for one in adapters]).astype(np.intp)]
    }
    return Stack(tuple(adapters), down, up, owners)


class Stacks:
    """Stacks by their adapters, the last few kept."""

    def __init__(self, shape: LlamaShape) -> None:
        self._shape = shape
        self._kept: OrderedDict[tuple[LoadedAdapter, ...], Stack] = OrderedDict()
        self._every: tuple[tuple[LoadedAdapter, ...], bool] = (), True
        """What `around` was told last, and whether that is hardly anything."""

    def around(self, adapters: tuple[LoadedAdapter, ...], every: tuple[LoadedAdapter, ...]) -> Stack:
        """A stack of `every` adapter, if these are among them and all are hardly anything beside the model; else of these.

        What replies speak with may then change without anything in the graph but its weights. Nobody speaks with none.
        """
        if every != self._every[0]:
            self._every = every, sum(one.numbers for one in every) <= HARDLY * parameters(self._shape)
        return self.of(every if adapters and self._every[1] and set(adapters) <= set(every) else adapters)

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
        self._every = (), True
