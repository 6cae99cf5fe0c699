"""The key-value cache of sequences decoded together: buffers made once, written in place, and holes masked out.

Prompts stand on the left, padded on the right up to the longest; new tokens follow at the same place in every row.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, DynamicLayer

Layers = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer, [rows, heads, length, width]."""


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Writes into buffers with room for all that will come."""

    def __init__(self, keys: Tensor, values: Tensor, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self._key_buffer, self._value_buffer, self._length = keys, values, length

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        end = self._length + key_states.shape[-2]
        self._key_buffer[:, :, self._length : end] = key_states
        self._value_buffer[:, :, self._length : end] = value_states
        self._length = end
        return self._key_buffer[:, :, :end], self._value_buffer[:, :, :end]

    def get_seq_length(self) -> int:
        return self._length

    def keep(self, rows: Tensor) -> None:
        """Drops all rows but these."""
        self._key_buffer, self._value_buffer = self._key_buffer[rows], self._value_buffer[rows]


class SharedCache:
    """The cache of some rows, and which of its places each row may look at."""

    def __init__(
        self, prompts: Sequence[Layers], rows: Sequence[tuple[int, int]], lengths: Sequence[int], room: int
    ) -> None:
        """`rows` names a prompt batch and a row in it for each sequence; `lengths` its prompt's tokens; `room` what follows."""
        self._width = max(lengths)
        self._lengths = torch.tensor(lengths)
        self._step = 0
        layers = []
        for index in range(len(prompts[0])):
            keys, values = (
                _gathered([batch[index][part] for batch in prompts], rows, lengths, self._width + room)
                for part in (0, 1)
            )
            layers.append(_Layer(keys, values, self._width))
        self._layers = layers
        self.cache = Cache(layers=list(layers))
        places = torch.arange(self._width + room)
        self._allowed = (places < self._lengths[:, None]) | (places >= self._width)

    def next(self, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Positions [rows, 1] of the tokens fed next, and the mask [rows, 1, 1, length], None where nothing is hidden."""
        positions = (self._lengths + self._step)[:, None].to(device)
        self._step += 1
        if bool((self._lengths == self._width).all()):
            return positions, None
        return positions, self._allowed[:, None, None, : self._width + self._step].to(device)

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all rows but these."""
        kept = torch.tensor(rows)
        self._lengths, self._allowed = self._lengths[kept], self._allowed[kept]
        for layer in self._layers:
            layer.keep(kept)


def layers_of(cache: DynamicCache) -> Layers:
    """Keys and values of a cache that was filled by one forward pass."""
    filled = []
    for layer in cache.layers:
        if not isinstance(layer, DynamicLayer) or layer.keys is None or layer.values is None:
            raise TypeError(f"{type(layer).__name__} holds no keys and values of whole sequences")
        filled.append((layer.keys, layer.values))
    return filled


def _gathered(
    batches: Sequence[Tensor], rows: Sequence[tuple[int, int]], lengths: Sequence[int], capacity: int
) -> Tensor:
    first = batches[0]
    buffer = first.new_zeros(len(rows), first.shape[1], capacity, first.shape[3])
    for place, ((batch, row), length) in enumerate(zip(rows, lengths, strict=True)):
        buffer[place, :, :length] = batches[batch][row, :, :length]
    return buffer
