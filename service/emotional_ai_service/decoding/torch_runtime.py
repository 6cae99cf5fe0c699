"""The runtime on torch: the reference on a CPU in fp32, and the path for a GPU.

The reference computes every sequence by itself, so that its bits do not depend on its neighbours. On a GPU the linear
layers of all sequences are computed at once.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding, linear, scaled_dot_product_attention, silu

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.batch import BLOCK, Batch
from emotional_ai_service.decoding.llama import GROUPS, Checkpoint, Floats, LlamaShape, layers_of
from emotional_ai_service.decoding.stack import Stack


@dataclass(frozen=True, slots=True)
class _Part:
    """One sequence of a batch: its tokens are rows first to last of the batch."""

    first: int
    last: int
    past: int
    slots: Tensor
    """[past + tokens]: where its keys and values lie in the cache, as block * BLOCK + offset."""


class TorchRuntime:
    """Llama on torch with `blocks` blocks of cache. `together` trades the bits of the reference for speed."""

    def __init__(
        self,
        shape: LlamaShape,
        weights: Checkpoint,
        *,
        blocks: int,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        together: bool = False,
    ) -> None:
        self.repeatable = not together
        self.dtype = str(dtype).removeprefix("torch.")
        self._shape = shape
        self._dtype, self._device = dtype, torch.device(device)
        self._embedding = self._tensor(weights.embedding())
        self._head = self._embedding if shape.tied else self._tensor(weights.head())
        self._norms = [tuple(map(self._tensor, weights.norms(layer))) for layer in range(shape.layers)]
        self._final_norm = self._tensor(weights.final_norm())
        self._groups = {
            (layer, group): self._tensor(weights.groups(layer, [group])) for layer, group in layers_of(shape)
        }
        self._frequencies = torch.tensor(shape.inverse_frequencies, dtype=torch.float32, device=self._device)
        size = (shape.layers, 2, blocks * BLOCK, shape.kv_heads, shape.head_dim)
        self._cache = torch.zeros(size, dtype=dtype, device=self._device)
        self._stack: Stack | None = None
        self._down: dict[tuple[int, str], Tensor] = {}
        self._up: dict[tuple[int, str], Tensor] = {}

    @torch.inference_mode()
    def forward(self, batch: Batch) -> Floats:
        self._take_stack(batch.stack)
        parts = self._parts(batch)
        groups = [parts] if not self.repeatable else [[part] for part in parts]
        hidden = torch.cat([self._hidden(batch, group) for group in groups])
        last = self._norm(hidden[torch.from_numpy(batch.wanted).long()], self._final_norm)
        rows = [last[row : row + 1] for row in range(len(last))] if self.repeatable else [last]
        found = [linear(row, self._head).float() for row in rows] or [last.new_zeros(0, self._shape.vocabulary)]
        logits: Floats = torch.cat(found).cpu().numpy()
        return logits

    def forget(self, adapter: LoadedAdapter) -> None:
        """Nothing was made of it."""

    def _hidden(self, batch: Batch, parts: list[_Part]) -> Tensor:
        """Hidden states [tokens of these parts, hidden] before the last norm."""
        own = slice(parts[0].first, parts[-1].last)
        x = embedding(torch.from_numpy(batch.tokens[own]).long().to(self._device), self._embedding)
        rotation = self._rotation(torch.from_numpy(batch.positions()[own]).to(self._device))
        spread = {group: self._tensor(batch.stack.spread(batch.weights[..., own, :], group)) for group in GROUPS}

        def adapted(x: Tensor, layer: int, group: str) -> Tensor:
            y, weight = linear(x, self._groups[layer, group]), spread[group]
            if weight.shape[-1] == 0:
                return y
            down = linear(x, self._down[layer, group])
            return y + (down * (weight if weight.ndim == 2 else weight[layer])) @ self._up[layer, group]

        shape = self._shape
        for layer in range(shape.layers):
            normed = self._norm(x, self._norms[layer][0])
            qkv = adapted(normed, layer, "qkv").view(len(x), -1, shape.head_dim)
            q, k, v = qkv.tensor_split((shape.heads, shape.heads + shape.kv_heads), dim=1)
            spoken = self._attention(layer, parts, _rotated(q, rotation), _rotated(k, rotation), v)
            x = x + adapted(spoken, layer, "o")
            normed = self._norm(x, self._norms[layer][1])
            x = x + adapted(silu(adapted(normed, layer, "gate")) * adapted(normed, layer, "up"), layer, "down")
        return x

    def _attention(self, layer: int, parts: list[_Part], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention [tokens, heads * head_dim] of every part over its own cache."""
        keys, values = self._cache[layer]
        spoken: list[Tensor] = []
        for part in parts:
            own = slice(part.first - parts[0].first, part.last - parts[0].first)
            keys[part.slots[part.past :]], values[part.slots[part.past :]] = k[own], v[own]
            total = len(part.slots)
            mask = torch.ones(total - part.past, total, dtype=torch.bool, device=q.device).tril(part.past)
            y = scaled_dot_product_attention(
                q[own].transpose(0, 1)[None],
                keys[part.slots].transpose(0, 1)[None],
                values[part.slots].transpose(0, 1)[None],
                attn_mask=mask,
                enable_gqa=True,
            )
            spoken.append(y[0].transpose(0, 1).flatten(1))
        return torch.cat(spoken)

    def _parts(self, batch: Batch) -> list[_Part]:
        parts = []
        for index, past in enumerate(batch.past):
            first, last = int(batch.begins[index]), int(batch.begins[index + 1])
            table = batch.blocks[batch.block_begins[index] : batch.block_begins[index + 1]]
            slots = (table[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)[: int(past) + last - first]
            parts.append(_Part(first, last, int(past), torch.from_numpy(slots).long().to(self._device)))
        return parts

    def _norm(self, x: Tensor, weights: Tensor) -> Tensor:
        """Root mean square norm, in fp32 whatever the format."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self._shape.norm_epsilon)
        return weights * wide.to(x.dtype)

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine [T, 1, head_dim] of every position."""
        angles = positions[:, None].float() * self._frequencies
        both = torch.cat([angles, angles], dim=-1)[:, None]
        return both.cos().to(self._cache.dtype), both.sin().to(self._cache.dtype)

    def _take_stack(self, stack: Stack) -> None:
        if stack is not self._stack:
            self._down = {at: self._tensor(values) for at, values in stack.down.items()}
            self._up = {at: self._tensor(values) for at, values in stack.up.items()}
            self._stack = stack

    def _tensor(self, values: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device, self._dtype)


def _rotated(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary embedding of [T, heads, head_dim]."""
    first, second = x.chunk(2, dim=-1)
    return x * rotation[0] + torch.cat([-second, first], dim=-1) * rotation[1]
