"""Ragged sequences in rectangular batches with little padding.

Padding stands on the right and attention is causal, so no real token ever sees it: no mask is needed and the values are
those of the sequence alone, to rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

PADDED_TOKENS: Final = 512
"""Tokens of a rectangle, padding included, unless one sequence alone is longer.

More would not be faster, and what a backward needs grows with it: 2 MB a token for a model of 135M."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Sequences of similar length, padded with zeros on the right."""

    members: tuple[int, ...]
    """Places of the sequences in the list they came from."""
    tokens: Tensor
    """[members, longest], int64."""

    def positions(self, lengths: Sequence[int]) -> Tensor:
        """Places of the real tokens in the flattened rectangle, member by member; `lengths` is of the whole list."""
        width = self.tokens.shape[1]
        return torch.cat([torch.arange(lengths[member]) + row * width for row, member in enumerate(self.members)])


def rectangles(sequences: Sequence[Sequence[int]], limit: int = PADDED_TOKENS) -> Iterator[Rectangle]:
    """Every sequence once, long ones first, so that the most memory is asked for at once; the same every time."""
    order = sorted(range(len(sequences)), key=lambda place: (-len(sequences[place]), place))
    start = 0
    while start < len(order):
        width = len(sequences[order[start]])
        members = tuple(order[start : start + max(1, limit // width)])
        tokens = torch.zeros(len(members), width, dtype=torch.int64)
        for row, member in enumerate(members):
            tokens[row, : len(sequences[member])] = torch.tensor(sequences[member])
        yield Rectangle(members, tokens)
        start += len(members)
