"""Forward and backward over a ragged batch.

The output layer is the widest of the model, so it is run in slices of rows, each with its own backward, and with gradient
only where the loss has one; the other rows' log-probabilities are computed without. The rest of the model runs once over
each rectangle and takes the rows' gradients back in one backward.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from emotional_ai_training.tinker_server.engine.adapter import Adapter
from emotional_ai_training.tinker_server.engine.base import BaseModel
from emotional_ai_training.tinker_server.engine.batching import Rectangle, rectangles
from emotional_ai_training.tinker_server.engine.losses import Loss
from emotional_ai_training.tinker_server.errors import InvalidRequest

HEAD_ROWS: Final = 128
"""Rows of logits held at a time."""


@dataclass(frozen=True, slots=True)
class Datum:
    """One sequence of n tokens and what its loss reads, a value for each token.

    `targets` [n] or [n, k] int64; `columns` fp32 of the same shape.
    """

    tokens: Sequence[int]
    targets: Tensor
    columns: Mapping[str, Tensor]

    def check(self, base: BaseModel) -> None:
        """Raises InvalidRequest unless the model can read it."""
        if len(self.tokens) > base.context_length:
            raise InvalidRequest(f"{len(self.tokens)} tokens exceed the model's {base.context_length}")
        base.check_tokens(min(self.tokens), max(self.tokens))
        if not self.targets.numel():
            raise InvalidRequest(
                f"target_tokens has shape {list(self.targets.shape)}; each token needs 1 target or more"
            )
        base.check_tokens(int(self.targets.min()), int(self.targets.max()))


@dataclass(frozen=True, slots=True)
class PassResult:
    """The loss summed over all tokens, and for each datum the log-probabilities of its targets, in their shape."""

    loss: float
    logprobs: tuple[Tensor, ...]


def run_pass(base: BaseModel, adapter: Adapter, data: Sequence[Datum], loss: Loss, *, backward: bool) -> PassResult:
    """One pass over `data`; with `backward`, gradients are added to the adapter's.

    Raises InvalidRequest for data the model cannot read, and where the loss is not finite; gradients are then incomplete.
    """
    for place, datum in enumerate(data):
        try:
            datum.check(base)
        except InvalidRequest as error:
            raise InvalidRequest(f"datum {place}: {error}") from error
    lengths = [len(datum.tokens) for datum in data]
    logprobs: dict[int, Tensor] = {}
    total = 0.0
    with base.wearing(adapter):
        for rectangle in rectangles([datum.tokens for datum in data]):
            members = [data[member] for member in rectangle.members]
            summed, found = _over(base, rectangle, lengths, members, loss, backward=backward)
            total += summed
            pieces = torch.split(found, [lengths[member] for member in rectangle.members])
            for member, datum, piece in zip(rectangle.members, members, pieces, strict=True):
                logprobs[member] = piece.view(datum.targets.shape)
    if not torch.isfinite(torch.tensor(total)):
        raise InvalidRequest(f"the {loss.name} loss is {total}: some weight, advantage or log-probability is too large")
    return PassResult(total, tuple(logprobs[place] for place in range(len(data))))


def _over(
    base: BaseModel,
    rectangle: Rectangle,
    lengths: Sequence[int],
    members: Sequence[Datum],
    loss: Loss,
    *,
    backward: bool,
) -> tuple[float, Tensor]:
    """The summed loss of one rectangle and the log-probabilities [tokens, k] of its members, one after the other."""
    device = base.device
    targets = torch.cat([_wide(datum.targets) for datum in members]).to(device)
    columns = {
        name: torch.cat([_wide(datum.columns[name]) for datum in members]).to(device) for name in members[0].columns
    }
    active = (columns[loss.coefficient] != 0).any(-1)
    with torch.set_grad_enabled(backward):
        hidden = base.body(rectangle.tokens).flatten(0, 1)[rectangle.positions(lengths).to(device)]
    upstream = torch.zeros_like(hidden) if backward else None
    logprobs = torch.empty(targets.shape, dtype=torch.float32, device=device)
    total = 0.0
    for rows in _slices(active.nonzero().flatten()):
        given = {name: column[rows] for name, column in columns.items()}
        leaf = hidden.detach()[rows].requires_grad_(backward)
        with torch.set_grad_enabled(backward):
            found = target_logprobs(base.logits(leaf), targets[rows])
            summed = loss.per_token(found, given).sum()
        if upstream is not None:
            summed.backward()  # type: ignore[no-untyped-call]
            upstream[rows] = gradient_of(leaf)
        logprobs[rows] = found.detach()
        total += float(summed.detach())
    with torch.no_grad():
        for rows in _slices((~active).nonzero().flatten()):
            logprobs[rows] = target_logprobs(base.logits(hidden.detach()[rows]), targets[rows])
    if upstream is not None and hidden.requires_grad and bool(active.any()):
        hidden.backward(upstream)  # type: ignore[no-untyped-call]
    return total, logprobs.cpu()


def target_logprobs(logits: Tensor, targets: Tensor) -> Tensor:
    """Log-probabilities [rows, k] of `targets` [rows, k] under `logits` [rows, vocabulary]."""
    return logits.gather(-1, targets) - torch.logsumexp(logits, dim=-1, keepdim=True)


def gradient_of(leaf: Tensor) -> Tensor:
    """The gradient a backward left in a leaf."""
    if leaf.grad is None:
        raise AssertionError("a loss with a non-zero coefficient does not depend on the logits")
    return leaf.grad


def _wide(values: Tensor) -> Tensor:
    return values if values.ndim == 2 else values.unsqueeze(-1)


def _slices(rows: Tensor) -> Iterator[Tensor]:
    return iter(torch.split(rows, HEAD_ROWS)) if len(rows) else iter(())
