"""The runtime on a CPU: graphs compiled by OpenVINO over one cache, in tensors that we hand out by blocks."""

from typing import Final

import openvino as ov
from openvino import Core

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.batch import FINE, Batch
from emotional_ai_service.decoding.fixed_graphs import FixedGraphs, case_of
from emotional_ai_service.decoding.llama import Checkpoint, Floats, LlamaShape
from emotional_ai_service.decoding.messages import Precision
from emotional_ai_service.decoding.openvino_graph import Case, LlamaGraph
from emotional_ai_service.decoding.openvino_request import Factors, Request
from emotional_ai_service.decoding.stack import Stack

_FORMATS: Final = {Precision.FLOAT32: ov.Type.f32, Precision.BFLOAT16: ov.Type.bf16, Precision.INT8: ov.Type.f32}
"""What is computed in, by how the matrices are kept."""
_KEPT: Final = 100
"""Executors the runtime keeps; more gain little, since making one anew is cheaper while oneDNN keeps its kernel."""


def bucket(tokens: int) -> int:
    """The length a batch of `tokens` is padded to: a power of two, or half as many again.

    The runtime takes tens of milliseconds longer over a length it has not met, or not lately; with few lengths that is rare,
    and what is computed for nothing costs less.
    """
    if tokens <= FINE:
        return tokens
    power = 1 << (tokens - 1).bit_length() - 1
    return power * 3 // 2 if tokens <= power * 3 // 2 else power * 2


class OpenVinoRuntime:
    """Llama on OpenVINO with `blocks` blocks of cache, `threads` threads and at most `fixed` graphs of fixed sizes."""

    repeatable = False

    def __init__(
        self,
        shape: LlamaShape,
        weights: Checkpoint,
        *,
        precision: Precision,
        blocks: int,
        threads: int,
        fixed: int = 0,
    ) -> None:
        self._format = _FORMATS[precision]
        self.dtype = "int8" if precision is Precision.INT8 else precision.value
        self._shape = shape
        self._graph = LlamaGraph(shape, weights, quantised=precision is Precision.INT8, format=self._format)
        self._settings = {
            "INFERENCE_PRECISION_HINT": self._format.to_string(),
            "KV_CACHE_PRECISION": self._format.to_string(),
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _KEPT,
        }
        self._spare = blocks
        """A block of nobody's, for padding."""
        compiled = self._compiled(None)
        self._graph.fixes_adapters &= compiled.get_property("INFERENCE_PRECISION_HINT") == ov.Type.bf16
        self._caches = {port.any_name: self._cache(port) for port in compiled.inputs if _is_cache(port.any_name)}
        self._factors = Factors(shape, self._format)
        self._any = self._last = Request(compiled, shape, self._caches, self._factors)
        self.fixed = FixedGraphs(self._made_for, self._graph.form_of, fixed)

    def forward(self, batch: Batch) -> Floats:
        self._last, fitting = self._fitting(batch)
        return self._last.forward(fitting)[: len(batch.wanted)]

    def forget(self, adapter: LoadedAdapter) -> None:
        if self._graph.fixes_adapters:
            self.fixed.forget(adapter.loading)

    def take_weights(self, stack: Stack, weights: Floats) -> None:
        """The part of `forward` that takes up blends, for who measures it; of as many tokens as were computed last."""
        self._last.take_weights(stack, weights)

    def _fitting(self, batch: Batch) -> tuple[Request, Batch]:
        """The graph that computes a batch soonest, and the batch filled up to its sizes."""
        case = case_of(batch)
        if case is not None and (request := self.fixed.of(case)) is not None:
            return request, batch.filled(case.tokens, self._spare)
        if (length := bucket(len(batch.tokens))) > len(batch.tokens):
            batch = batch.padded(length, self._spare)
        return self._any, batch

    def _made_for(self, case: Case) -> Request:
        return Request(self._compiled(case), self._shape, self._caches, self._factors)

    def _compiled(self, case: Case | None) -> ov.CompiledModel:
        return Core().compile_model(self._graph.build(case), "CPU", self._settings)

    def _cache(self, port: ov.ConstOutput) -> ov.Tensor:
        dimensions = [self._spare + 1, *(length.get_length() for length in list(port.partial_shape)[1:])]
        return ov.Tensor(port.element_type, ov.Shape(dimensions))


def _is_cache(name: str) -> bool:
    return name.partition(".")[0] in ("key", "value")
