"""The runtime on a CPU: the graph compiled by OpenVINO, its cache in tensors that we hand out by blocks."""

from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from openvino import Core

from emotional_ai_service.decoding.batch import FINE, Batch
from emotional_ai_service.decoding.llama import GROUPS, Checkpoint, Floats, LlamaShape, layers_of
from emotional_ai_service.decoding.messages import Precision
from emotional_ai_service.decoding.openvino_graph import LlamaGraph
from emotional_ai_service.decoding.stack import Stack

_FORMATS: Final = {Precision.FLOAT32: ov.Type.f32, Precision.BFLOAT16: ov.Type.bf16, Precision.INT8: ov.Type.f32}
"""What is computed in, by how the matrices are kept."""
_KEPT: Final = 100
"""Executors the runtime keeps; more gain nothing, since making one anew is cheap while oneDNN keeps its kernel."""


def bucket(tokens: int) -> int:
    """The length a batch of `tokens` is padded to, so that few shapes occur: the runtime keeps what it makes for each."""
    if tokens <= FINE:
        return tokens
    step = 8 if tokens <= 64 else 16
    return -(-tokens // step) * step


class OpenVinoRuntime:
    """Llama on OpenVINO with `blocks` blocks of cache and `threads` threads."""

    repeatable = False

    def __init__(
        self, shape: LlamaShape, weights: Checkpoint, *, precision: Precision, blocks: int, threads: int
    ) -> None:
        self._format = _FORMATS[precision]
        graph = LlamaGraph(shape, weights, quantised=precision is Precision.INT8, format=self._format).build()
        compiled = Core().compile_model(
            graph,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": self._format.to_string(),
                "KV_CACHE_PRECISION": self._format.to_string(),
                "NUM_STREAMS": 1,
                "INFERENCE_NUM_THREADS": threads,
                "ENABLE_CPU_PINNING": False,
                "CPU_RUNTIME_CACHE_CAPACITY": _KEPT,
            },
        )
        self.dtype = "int8" if precision is Precision.INT8 else precision.value
        self._shape = shape
        self._request = compiled.create_infer_request()
        self._stack: Stack | None = None
        self._factors: WeakKeyDictionary[Stack, dict[str, ov.Tensor]] = WeakKeyDictionary()
        """The stacks that were computed with lately, in the format of the graph, for as long as anybody keeps them."""
        self._weights: Floats = np.zeros(0, np.float32)
        self._spread: dict[str, Floats] = {}
        """The memory of the tensors of weights, by group."""
        self._spare = blocks
        """A block of nobody's, for padding."""
        for layer in range(shape.layers):
            for side in ("key", "value"):
                port = compiled.input(f"{side}.{layer}")
                dimensions = [blocks + 1, *(length.get_length() for length in list(port.partial_shape)[1:])]
                self._request.set_tensor(port, ov.Tensor(port.element_type, ov.Shape(dimensions)))
        self._ports = {port.any_name: port for port in compiled.inputs}

    def forward(self, batch: Batch) -> Floats:
        if (length := bucket(len(batch.tokens))) > len(batch.tokens):
            batch = batch.padded(length, self._spare)
        self._take_weights(batch.stack, batch.weights)
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
            self._set(name, ov.Tensor(values))
        self._request.infer(share_inputs=True)
        logits: Floats = self._request.get_output_tensor(0).data.copy()
        return logits

    def _take_stack(self, stack: Stack) -> None:
        if stack is self._stack:
            return
        self._stack, self._weights = None, np.zeros(0, np.float32)  # until all is handed over
        if stack not in self._factors:
            self._factors[stack] = dict(self._tensors(stack))
        for name, tensor in self._factors[stack].items():
            self._set(name, tensor)
        self._stack = stack  # keeps the memory that the tensors share

    def _tensors(self, stack: Stack) -> Iterator[tuple[str, ov.Tensor]]:
        for layer, group in layers_of(self._shape):
            yield f"down.{layer}.{group}", self._tensor(stack.down[layer, group])
            yield f"up.{layer}.{group}", self._tensor(stack.up[layer, group])

    def _tensor(self, values: Floats) -> ov.Tensor:
        """Numbers in the format of the graph; those of float32 are shared, not copied."""
        if self._format == ov.Type.f32:
            return ov.Tensor(values, shared_memory=True)
        tensor = ov.Tensor(self._format, ov.Shape(values.shape))
        if values.size:
            narrow = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16)
            tensor.data.view(np.int16)[...] = narrow.numpy()
        return tensor

    def _take_weights(self, stack: Stack, weights: Floats) -> None:
        """Hands over what changed: while the same replies speak under the same blends, that is nothing.

        While the same replies speak with the same adapters, a blend that moves is written over the one before.
        """
        alike = stack is self._stack and weights.shape == self._weights.shape
        if alike and bool((weights == self._weights).all()):
            return
        self._take_stack(stack)
        self._weights = np.zeros(0, np.float32)  # until all is handed over
        for group in GROUPS:
            if alike:
                stack.spread(weights, group, into=self._spread[group])
            else:
                self._hand_over(group, stack.spread(weights, group))
        self._weights = weights

    def _hand_over(self, group: str, spread: Floats) -> None:
        """Weights of a group's rows for each token, [T, rows], or [layers, T, rows]."""
        self._spread[group] = spread
        everywhere = ov.Tensor(spread, shared_memory=True) if spread.ndim == 2 else None
        for layer in range(self._shape.layers):
            self._set(f"weight.{layer}.{group}", everywhere or ov.Tensor(spread[layer], shared_memory=True))

    def _set(self, name: str, tensor: ov.Tensor) -> None:
        self._request.set_tensor(self._ports[name], tensor)
