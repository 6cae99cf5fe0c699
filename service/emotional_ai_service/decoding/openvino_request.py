"""A compiled graph and what it was last given: adapters and weights are handed over only where they changed."""

from collections.abc import Iterator, Mapping
from weakref import WeakKeyDictionary

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from emotional_ai_service.decoding.batch import Batch
from emotional_ai_service.decoding.llama import GROUPS, Floats, LlamaShape, layers_of
from emotional_ai_service.decoding.openvino_graph import in_bfloat16
from emotional_ai_service.decoding.stack import Stack


class Factors:
    """The factors of stacks as tensors in the format of the graph, for as long as anybody keeps the stacks."""

    def __init__(self, shape: LlamaShape, format: ov.Type) -> None:
        self._shape = shape
        self._format = format
        self._made: WeakKeyDictionary[Stack, dict[str, ov.Tensor]] = WeakKeyDictionary()

    def of(self, stack: Stack) -> Mapping[str, ov.Tensor]:
        """By the names of the inputs; their memory may be the stack's, which must outlive their use."""
        if stack not in self._made:
            self._made[stack] = dict(self._tensors(stack))
        return self._made[stack]

    def _tensors(self, stack: Stack) -> Iterator[tuple[str, ov.Tensor]]:
        for layer, group in layers_of(self._shape):
            yield f"down.{layer}.{group}", self._tensor(stack.down[layer, group])
            yield f"up.{layer}.{group}", self._tensor(stack.up[layer, group])

    def _tensor(self, values: Floats) -> ov.Tensor:
        """Numbers in the format of the graph; those of float32 are shared, not copied."""
        return ov.Tensor(values, shared_memory=True) if self._format == ov.Type.f32 else in_bfloat16(values)


class Request:
    """Computes batches with one compiled graph over the blocks of `caches`."""

    def __init__(
        self, compiled: ov.CompiledModel, shape: LlamaShape, caches: Mapping[str, ov.Tensor], factors: Factors
    ) -> None:
        self._request = compiled.create_infer_request()
        self._ports = {port.any_name: port for port in compiled.inputs}
        self._layers = shape.layers
        self._takes_factors = any(name.startswith("up.") for name in self._ports)
        self._factors = factors
        self._stack: Stack | None = None
        self._weights: Floats = np.zeros(0, np.float32)
        self._spread: Floats = np.zeros(0, np.float32)
        """The memory of the tensors of weights, group by group."""
        self._takers: NDArray[np.intp] = np.zeros(0, np.intp)
        """Which of the weights each number there is."""
        self._given: dict[str, NDArray[np.generic]] = {}
        """The memory of the tensors of everything else."""
        for name, tensor in caches.items():
            self._set(name, tensor)

    def forward(self, batch: Batch) -> Floats:
        """As Runtime.forward."""
        self.take_weights(batch.stack, batch.weights)
        lengths = batch.past + np.diff(batch.begins)
        plain: dict[str, NDArray[np.generic]] = {
            "tokens": batch.tokens,
            "positions": batch.positions(),
            "past": batch.past,
            "begins": batch.begins,
            "blocks": batch.blocks,
            "block_begins": batch.block_begins,
            "longest": np.array(lengths.max(), np.int32),
            "wanted": batch.wanted,
        }
        for name, values in plain.items():
            self._give(name, values)
        self._request.infer(share_inputs=True, share_outputs=True)
        logits: Floats = self._request.get_output_tensor(0).data.copy()
        return logits

    def take_weights(self, stack: Stack, weights: Floats) -> None:
        """Hands over what changed: while the same replies speak under the same blends, that is nothing.

        While the same replies speak with the same adapters, a blend that moves is written over the one before.
        """
        alike = stack is self._stack and weights.shape == self._weights.shape
        if alike and weights.tobytes() == self._weights.tobytes():  # less code than comparing arrays runs through
            return
        if not alike:
            self._hand_over(stack, weights)
        weights.take(self._takers, out=self._spread, mode="clip")  # the only mode without a buffer
        self._weights = weights

    def _hand_over(self, stack: Stack, weights: Floats) -> None:
        """Gives the request the memory of the stack's factors, and memory for weights of this shape."""
        if stack is not self._stack:
            self._stack = None  # until all is handed over
            factors = self._factors.of(stack) if self._takes_factors else {}
            for name, tensor in factors.items():
                self._set(name, tensor)
        self._weights = np.zeros(0, np.float32)
        places = np.arange(weights.size).reshape(weights.shape)
        taken = {group: stack.spread(places, group) for group in GROUPS}
        self._takers = np.concatenate([one.reshape(-1) for one in taken.values()])
        self._spread = np.zeros(len(self._takers), np.float32)
        ends = np.cumsum([one.size for one in taken.values()])[:-1]
        for (group, one), part in zip(taken.items(), np.split(self._spread, ends), strict=True):
            self._hand_over_group(group, part.reshape(one.shape))
        self._stack = stack  # keeps the memory that the tensors share

    def _hand_over_group(self, group: str, spread: Floats) -> None:
        """Memory for the weights of a group's rows for each token, [T, rows], or [layers, T, rows]."""
        everywhere = ov.Tensor(spread, shared_memory=True) if spread.ndim == 2 else None
        if everywhere is not None:
            self._set(f"weight.{group}", everywhere)  # a graph has this input or those of the layers
        for layer in range(self._layers):
            self._set(f"weight.{layer}.{group}", everywhere or ov.Tensor(spread[layer], shared_memory=True))

    def _give(self, name: str, values: NDArray[np.generic]) -> None:
        """Hands over numbers: written over those before where they are as many, sooner than another tensor is made."""
        given = self._given.get(name)
        if given is not None and given.shape == values.shape:
            np.copyto(given, values, casting="no")
            return
        given = values.copy()
        self._set(name, ov.Tensor(given, shared_memory=True))
        self._given[name] = given

    def _set(self, name: str, tensor: ov.Tensor) -> None:
        if (port := self._ports.get(name)) is not None:  # a graph of one case lacks inputs
            self._request.set_tensor(port, tensor)
