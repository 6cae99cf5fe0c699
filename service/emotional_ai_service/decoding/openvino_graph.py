"""The Llama graph with blended adapters, written for the OpenVINO runtime with its paged attention.

Inputs: tokens [T]; positions [T]; past, begins, blocks, block_begins as in batch.py; longest (a scalar); wanted [N];
for every layer `key.L` and `value.L` (blocks of the cache), and for every layer and group `down.L.G` [rows, inputs],
`up.L.G` [rows, outputs] and `weight.L.G` [T, rows]. Output: logits [N, vocabulary].

Adapters are inputs, not constants, so one compiled graph serves any set of adapters of any ranks, and every token has its
own blend; a set that takes no rows in a group costs nothing there. They come in the format that is computed in, since the
runtime would convert all of them at every step. Rotary embedding, norm and silu are written in the forms that the runtime
fuses; every node costs microseconds at each step, so queries and keys are rotated together.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op
from openvino.op import Parameter, _PagedAttentionExtension

from emotional_ai_service.decoding.llama import Checkpoint, Floats, LlamaShape

Flow: TypeAlias = Any
"""A node of the graph or one of its outputs; the library carries no types."""
_AXIS: Final = np.int64(1)
_ROWS: Final = 1024
_HALF: Final = 2.0**-25
"""Greatest rounding error at which a matrix is stored in sixteen bits and widened as it is read: that of numbers of bfloat16,
which differ only where they are smaller than float16 can tell apart."""


class LlamaGraph:
    """Builds the graph; `format` is that of the cache and of adapters, `quantised` stores matrices as int8.

    Each output of a quantised matrix has one scale.
    """

    def __init__(self, shape: LlamaShape, weights: Checkpoint, *, quantised: bool, format: ov.Type) -> None:
        self._shape = shape
        self._weights = weights
        self._quantised = quantised
        self._format = format
        self._inputs: list[Parameter] = []

    def build(self) -> ov.Model:
        """The whole model."""
        shape, weights = self._shape, self._weights
        tokens = self._input("tokens", ov.Type.i32, [-1])
        positions = self._input("positions", ov.Type.i64, [-1])
        layout = [self._input(name, ov.Type.i32, [-1]) for name in ("past", "begins", "blocks", "block_begins")]
        longest = self._input("longest", ov.Type.i32, [])
        wanted = self._input("wanted", ov.Type.i32, [-1])
        rotation = self._rotation(positions)
        embedding = self._matrix(weights.embedding())
        x: Flow = op.gather(embedding, tokens, _whole(0))
        for layer in range(shape.layers):
            before_attention, before_mlp = weights.norms(layer)
            qkv = self._linear(self._norm(x, before_attention), layer, "qkv")
            spoken = self._attention(layer, self._queries_keys_values(qkv, rotation), layout, longest)
            x = op.add(x, self._linear(spoken, layer, "o"))
            gate_up = self._linear(self._norm(x, before_mlp), layer, "gate_up")
            gate, up = _split(gate_up, shape.intermediate, shape.intermediate)
            x = op.add(x, self._linear(op.multiply(op.swish(gate), up), layer, "down"))
        last = self._norm(op.gather(x, wanted, _whole(0)), weights.final_norm())
        head = weights.head()
        logits = op.matmul(last, embedding if head is None else self._matrix(head), False, True)
        return ov.Model([op.result(logits)], self._inputs, "llama")

    def _input(self, name: str, kind: ov.Type, dimensions: Sequence[int]) -> Parameter:
        parameter = Parameter(kind, ov.PartialShape(list(dimensions)))
        parameter.set_friendly_name(name)
        parameter.output(0).set_names({name})
        self._inputs.append(parameter)
        return parameter

    def _matrix(self, values: Floats) -> Flow:
        """A constant matrix [outputs, inputs]."""
        if not self._quantised:
            half = values.astype(np.float16)
            if np.abs(half - values).max() > _HALF:
                return op.constant(np.ascontiguousarray(values), shared_memory=True)
            widened = op.convert(op.constant(half), "f32")
            widened.get_rt_info()["decompression_0"] = True  # or the runtime widens it once and for all
            return widened
        stored, scale = _eight_bits(values)
        return op.multiply(op.convert(op.constant(stored), "f32"), op.constant(scale))

    def _linear(self, x: Flow, layer: int, group: str) -> Flow:
        """The group's layers with their adapters, side by side: W x + up^T (weight * (down x))."""
        inputs, outputs = self._shape.group_widths(group)
        at = f"{layer}.{group}"
        down, up = self._factor(f"down.{at}", inputs), self._factor(f"up.{at}", sum(outputs))
        weight = self._input(f"weight.{at}", ov.Type.f32, [-1, -1])
        blended = op.matmul(op.multiply(op.matmul(x, down, False, True), weight), up, False, False)
        return op.add(op.matmul(x, self._matrix(self._weights.group(layer, group)), False, True), blended)

    def _factor(self, name: str, width: int) -> Flow:
        """A factor of the adapters [rows, width]."""
        given = self._input(name, self._format, [-1, width])
        return given if self._format == ov.Type.f32 else op.convert(given, "f32")

    def _queries_keys_values(self, qkv: Flow, rotation: tuple[Flow, Flow]) -> list[Flow]:
        shape = self._shape
        queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        both, values = _split(qkv, queries + keys, keys)
        return [*_split(self._rotated(both, shape.heads + shape.kv_heads, rotation), queries, keys), values]

    def _norm(self, x: Flow, weights: Floats) -> Flow:
        """Root mean square norm (Zhang and Sennrich 2019, arXiv:1910.07467)."""
        mean = op.reduce_mean(op.power(x, _number(2)), op.constant(np.array([-1])), True)
        inverse = op.divide(_number(1), op.sqrt(op.add(mean, _number(self._shape.norm_epsilon))))
        return op.multiply(op.constant(weights), op.multiply(x, inverse))

    def _rotation(self, positions: Flow) -> tuple[Flow, Flow]:
        """Cosine and sine [T, 1, 1, head_dim] of every position."""
        frequencies = np.array(self._shape.inverse_frequencies, np.float32).reshape(1, -1, 1)
        column = op.convert(op.reshape(positions, _shape(-1, 1, 1), False), "f32")
        angles = op.transpose(op.matmul(op.constant(frequencies), column, False, False), _shape(0, 2, 1))
        both = op.concat([angles, angles], -1)
        return op.unsqueeze(op.cos(both), _shape(1)), op.unsqueeze(op.sin(both), _shape(1))

    def _rotated(self, x: Flow, heads: int, rotation: tuple[Flow, Flow]) -> Flow:
        """Rotary embedding of [T, heads * head_dim]."""
        dim = self._shape.head_dim
        x = op.transpose(op.reshape(x, _shape(-1, 1, heads, dim), False), _shape(0, 2, 1, 3))
        # Axis 3, not -1: with -1 the runtime does not recognise a rotation it can fuse.
        halves = op.variadic_split(x, op.constant(np.int64(3)), _shape(dim // 2, dim // 2))
        minus = op.constant(np.full((1, 1, 1, 1), -1, np.float32))
        turned = op.concat([op.multiply(halves.output(1), minus), halves.output(0)], -1)
        y = op.add(op.multiply(x, rotation[0]), op.multiply(turned, rotation[1]))
        return op.reshape(op.transpose(y, _shape(0, 2, 1, 3)), _shape(-1, heads * dim), False)

    def _attention(self, layer: int, qkv: list[Flow], layout: Sequence[Flow], longest: Flow) -> Flow:
        """Paged attention over the layer's cache; the options of the operation we do not use are empty."""
        caches = [self._input(f"{name}.{layer}", self._format, [-1] * 4) for name in ("key", "value")]
        scale = _number(1 / math.sqrt(self._shape.head_dim))
        scores, rotations, sparsity = [_none("i32")], [_none("i32"), _none("i32"), _none("f32")], [_none("f32")]
        eviction = [_whole(0), *(_none("i32") for _ in range(3))]
        inputs: list[Flow] = [*qkv, *caches, *layout, scale, _whole(0), _none("f32"), longest]
        inputs += [*scores, *rotations, *sparsity, _whole(0), _whole(0), _none("f32"), *eviction]
        inputs += [_none("i32"), _none("u8"), _none("i32")]
        node = _PagedAttentionExtension([one if isinstance(one, ov.Output) else one.output(0) for one in inputs])
        info = node.get_rt_info()
        for side in ("k", "v"):
            info[f"num_{side}_heads"] = self._shape.kv_heads
            info[f"{side}_head_size"] = self._shape.head_dim
        return node.output(0)


def _eight_bits(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A matrix as int8 and the scale [outputs, 1] of each row; some rows at a time, since a copy may not fit."""
    stored = np.empty(values.shape, np.int8)
    scale = np.empty((len(values), 1), np.float32)
    for first in range(0, len(values), _ROWS):
        part = values[first : first + _ROWS]
        scale[first : first + _ROWS] = np.maximum(np.abs(part).max(axis=1, keepdims=True), 1e-12) / 127
        stored[first : first + _ROWS] = np.rint(part / scale[first : first + _ROWS])
    return stored, scale


def _split(x: Flow, *widths: int) -> list[Flow]:
    """The columns of x in parts."""
    parts = op.variadic_split(x, op.constant(_AXIS), op.constant(np.array(widths)))
    return [parts.output(index) for index in range(len(widths))]


def _number(value: float) -> Flow:
    return op.constant(np.float32(value))


def _whole(value: int) -> Flow:
    return op.constant(np.int32(value))


def _shape(*values: int) -> Flow:
    return op.constant(np.array(values, np.int64))


def _none(kind: str) -> Flow:
    kinds: dict[str, NDArray[np.generic]] = {
        "i32": np.zeros(0, np.int32),
        "f32": np.zeros(0, np.float32),
        "u8": np.zeros(0, np.uint8),
    }
    return op.constant(kinds[kind])
