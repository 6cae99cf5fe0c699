"""The Llama graph with blended adapters, written for the OpenVINO runtime with its paged attention.

Inputs: tokens [T]; positions [T]; past, begins, blocks, block_begins as in batch.py; longest (a scalar); wanted [N];
for every layer `key.L` and `value.L` (blocks of the cache), and for every layer and group `weight.L.G` [T, rows] and, unless
they are constants, `down.L.G` [rows, inputs] and `up.L.G` [rows, outputs]. Where the weights of a case do not differ by layer,
one `weight.G` stands for all of them. Output: logits [N, vocabulary].

Every token has its own blend. Adapters that are inputs make one compiled graph serve any set of adapters of any ranks; they
come in the format that is computed in, since the runtime would convert all of them at every step. Rotary embedding, norm and
silu are written in the forms that the runtime fuses; every node costs microseconds at each step, so queries and keys are
rotated together.

A graph takes all sizes and stacks, or those of one Case, for which the runtime need not find out at every step what each node
computes on: a fifth to a tenth of a step of a small model. There N = T, and groups without rows have no nodes. In bfloat16 its
adapters are constants, or their factors would be laid out for the kernels at every step, and `down` stands below the matrix
that reads the same input, one product for both. In float32 matrices are kept in sixteen bits where that loses nothing, which
factors would not fit, so adapters stay inputs; in int8 too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from openvino import opset13 as op
from openvino.op import Parameter, _PagedAttentionExtension

from emotional_ai_service.decoding.llama import Checkpoint, Floats, LlamaShape
from emotional_ai_service.decoding.stack import Stack

Flow: TypeAlias = Any
"""A node of the graph or one of its outputs; the library carries no types."""
_AXIS: Final = np.int64(1)
_ROWS: Final = 1024
_HALF: Final = 2.0**-25
"""Greatest rounding error at which a matrix is stored in sixteen bits and widened as it is read: that of numbers of bfloat16,
which differ only where they are smaller than float16 can tell apart."""


@dataclass(frozen=True, slots=True)
class Case:
    """A step in which each of some replies speaks its next token."""

    tokens: int
    """As many as sequences, the logits of all of them wanted."""
    stack: Stack
    """What they speak with."""
    deep: bool = False
    """Whether their weights differ by layer."""

    def rows(self, group: str) -> int:
        """Rows of a group's factors."""
        return len(self.stack.owners[group])


class Form(NamedTuple):
    """What tells apart the graphs that are made for cases."""

    tokens: int
    adapters: tuple[int, ...]
    """The loadings of those that are constants, in order; else the rows of each group."""
    deep: bool = False


class LlamaGraph:
    """Builds graphs; `format` is that of the cache and of adapters, `quantised` stores matrices as int8.

    Each output of a quantised matrix has one scale. All graphs share the memory of their constants, but for matrices with
    adapters below them.
    """

    def __init__(self, shape: LlamaShape, weights: Checkpoint, *, quantised: bool, format: ov.Type) -> None:
        self._shape = shape
        self._weights = weights
        self._quantised = quantised
        self._format = format
        self._constants: dict[str, tuple[Flow, ...]] = {}
        self._case: Case | None = None
        self.fixes_adapters = not quantised and format == ov.Type.bf16
        """Whether graphs for a case have its adapters as constants."""
        self._inputs: list[Parameter] = []
        self._shared: dict[str, Parameter] = {}
        """Weights of a group that are those of every layer."""

    def build(self, case: Case | None = None) -> ov.Model:
        """The whole model, for all sizes and stacks or for those of `case`. One at a time."""
        self._case, self._inputs, self._shared = case, [], {}
        try:
            return self._built(case.tokens if case else -1)
        finally:
            self._case, self._inputs, self._shared = None, [], {}  # keeps nothing of the stack

    def form_of(self, case: Case) -> Form:
        """Cases of one form have the same graph."""
        stack = case.stack
        loadings = tuple(adapter.loading for adapter in stack.adapters)
        return Form(case.tokens, loadings if self.fixes_adapters else stack.rows, case.deep)

    def _built(self, count: int) -> ov.Model:
        shape, weights = self._shape, self._weights
        begins = count + 1 if count > 0 else -1
        tokens = self._input("tokens", ov.Type.i32, [count])
        positions = self._input("positions", ov.Type.i64, [count])
        sizes = {"past": count, "begins": begins, "blocks": -1, "block_begins": begins}
        layout = [self._input(name, ov.Type.i32, [size]) for name, size in sizes.items()]
        longest = self._input("longest", ov.Type.i32, [])
        wanted = self._input("wanted", ov.Type.i32, [count])
        rotation = self._rotation(positions)
        embedding = self._matrix("embedding", weights.embedding)
        x: Flow = op.gather(embedding, tokens, _whole(0))
        for layer in range(shape.layers):
            before_attention, before_mlp = weights.norms(layer)
            (qkv,) = self._linear(self._norm(x, before_attention), layer, "qkv")
            spoken = self._attention(layer, self._queries_keys_values(qkv, rotation), layout, longest)
            x = op.add(x, *self._linear(spoken, layer, "o"))
            gate, up = self._linear(self._norm(x, before_mlp), layer, "gate", "up")
            x = op.add(x, *self._linear(op.multiply(op.swish(gate), up), layer, "down"))
        last = self._norm(op.gather(x, wanted, _whole(0)), weights.final_norm())
        head = embedding if shape.tied else self._matrix("head", weights.head)
        return ov.Model([op.result(op.matmul(last, head, False, True))], self._inputs, "llama")

    def _input(self, name: str, kind: ov.Type, dimensions: Sequence[int]) -> Parameter:
        parameter = Parameter(kind, ov.PartialShape(list(dimensions)))
        parameter.set_friendly_name(name)
        parameter.output(0).set_names({name})
        self._inputs.append(parameter)
        return parameter

    def _matrix(self, name: str, read: Callable[[], Floats]) -> Flow:
        """A constant matrix [outputs, inputs]."""
        values, *scale = self._constant(name, read)
        if values.get_element_type() == ov.Type.f32:
            return values
        return op.multiply(op.convert(values, "f32"), *scale) if scale else _widened(values)

    def _constant(self, name: str, read: Callable[[], Floats]) -> tuple[Flow, ...]:
        """What a matrix is kept in, read when it is first asked for."""
        if name not in self._constants:
            self._constants[name] = self._kept(read())
        return self._constants[name]

    def _kept(self, values: Floats) -> tuple[Flow, ...]:
        """The constants that a matrix is kept in: itself, in sixteen bits where that loses nothing, or int8 and its scale."""
        if self._quantised:
            return tuple(map(op.constant, _eight_bits(values)))
        half = values.astype(np.float16)
        if np.abs(half - values).max() > _HALF:
            return (op.constant(np.ascontiguousarray(values), shared_memory=True),)
        return (op.constant(half),)

    def _linear(self, x: Flow, layer: int, *groups: str) -> list[Flow]:
        """Each group's layers with their adapters, all multiplied at once: W x + up^T (weight * (down x))."""
        widths = [sum(self._shape.group_widths(group)[1]) for group in groups]
        name, read = f"{layer}.{groups[0]}", partial(self._weights.groups, layer, groups)
        below: list[str] = []  # groups whose `down` is a part of the matrix
        if self._case and self.fixes_adapters and (below := [one for one in groups if self._case.rows(one)]):
            plain, *_ = self._constant(name, read)
            matrix = _fixed(np.concatenate([plain.data, *(self._case.stack.down[layer, one] for one in below)]))
            widths += map(self._case.rows, below)
        else:
            matrix = self._matrix(name, read)
        y = op.matmul(x, matrix, False, True)
        parts = [y] if len(widths) == 1 else _split(y, *widths)
        low = dict(zip(below, parts[len(groups) :], strict=True))
        own = zip(parts[: len(groups)], groups, strict=True)
        return [self._adapted(part, x, layer, group, low.get(group)) for part, group in own]

    def _adapted(self, y: Flow, x: Flow, layer: int, group: str, low: Flow | None) -> Flow:
        """What a group makes of `x` without adapters, with what they add; `low` is `down x`, if the adapters are constants."""
        count, rows = (self._case.tokens, self._case.rows(group)) if self._case else (-1, -1)
        if rows == 0:
            return y
        at, (inputs, outputs) = f"{layer}.{group}", self._shape.group_widths(group)
        up: Flow
        if self._case and low is not None:
            up = _fixed(self._case.stack.up[layer, group])
        else:
            low = op.matmul(x, self._given(f"down.{at}", rows, inputs), False, True)
            up = self._given(f"up.{at}", rows, sum(outputs))
        weight = self._weight(layer, group, count, rows)
        return op.add(y, op.matmul(op.multiply(low, weight), up, False, False))

    def _weight(self, layer: int, group: str, count: int, rows: int) -> Parameter:
        """One input for all layers where their weights are the same, since the runtime looks at every input at every step."""
        if self._case is None or self._case.deep:
            return self._input(f"weight.{layer}.{group}", ov.Type.f32, [count, rows])
        if group not in self._shared:
            self._shared[group] = self._input(f"weight.{group}", ov.Type.f32, [count, rows])
        return self._shared[group]

    def _given(self, name: str, rows: int, width: int) -> Flow:
        """A factor of the adapters [rows, width]."""
        given = self._input(name, self._format, [rows, width])
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


def in_bfloat16(values: Floats) -> ov.Tensor:
    """A copy of numbers in bfloat16."""
    tensor = ov.Tensor(ov.Type.bf16, ov.Shape(values.shape))
    if values.size:
        tensor.data.view(np.int16)[...] = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy()
    return tensor


def _fixed(values: Floats) -> Flow:
    """A constant matrix kept in bfloat16."""
    return _widened(op.constant(in_bfloat16(values)))


def _widened(values: Flow) -> Flow:
    """A matrix kept in sixteen bits as it is multiplied with."""
    widened = op.convert(values, "f32")
    widened.get_rt_info()["decompression_0"] = True  # or the runtime widens it once and for all
    return widened


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
