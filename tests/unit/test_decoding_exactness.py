"""The logits of blended adapters against a transformers model into which the blend was merged, on both runtimes, in fp32."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from flat_batches import Piece, Rows, compute, lanes, named
from flat_models import BLOCKS, LARGEST_ERROR, SHAPES, Published, error, published, some_tokens
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from merging import Weights, logits, merged

from emotional_ai_service.decoding import Precision
from emotional_ai_service.decoding.batch import BLOCK, FINE, Runtime
from emotional_ai_service.decoding.llama import LlamaShape
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime, bucket
from emotional_ai_service.decoding.stack import Stack, stack
from emotional_ai_service.decoding.torch_runtime import TorchRuntime
from emotional_ai_training.models import cpu_description, multiplies_bf16

LARGEST_ROUNDING = 0.1
"""Share of what a blend changes that bfloat16 may round away: eight bits in each of some tens of sums."""


@dataclass(frozen=True)
class Case:
    """A model, its adapters, and a runtime to be proved."""

    published: Published
    runtime: Runtime

    @property
    def shape(self) -> LlamaShape:
        return self.published.shape

    @cached_property
    def stacked(self) -> Stack:
        return self.published.stacked()

    def reference(self, blend: Mapping[str, Weights], tokens: list[int]) -> Rows:
        return self.published.logits(blend, tokens)


@pytest.fixture(scope="module", params=[*itertools.product(SHAPES, ("torch", "openvino"))], ids="-".join)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    kind, runtime = request.param
    there = published(tmp_path_factory.mktemp(kind), kind)
    made: Runtime = (
        TorchRuntime(there.shape, there.weights, blocks=BLOCKS)
        if runtime == "torch"
        else OpenVinoRuntime(there.shape, there.weights, precision=Precision.FLOAT32, blocks=BLOCKS, threads=1)
    )
    return Case(there, made)


def test_without_adapters_the_logits_are_those_of_transformers(case: Case) -> None:
    tokens = some_tokens(200)
    found = compute(case.runtime, stack((), case.shape), [Piece(lanes(1)[0], tokens)])
    assert error(found, case.reference({}, tokens)) <= LARGEST_ERROR


@pytest.mark.parametrize(
    "blend",
    [
        {"thrilled": 0.4, "calm": 0.35, "afraid": 0.25},
        {"thrilled": -0.7, "calm": 1.3, "afraid": -0.2},
        {"calm": 1.0},
        {"thrilled": 0.0, "calm": 0.0, "afraid": 0.0},
    ],
    ids=["positive", "negative", "one-hot", "zero"],
)
def test_a_blend_is_the_merged_model(case: Case, blend: dict[str, float]) -> None:
    tokens = some_tokens(70, seed=1)
    found = compute(case.runtime, case.stacked, [Piece(lanes(1)[0], tokens, named(case.stacked, blend))])
    expected = case.reference(blend, tokens)
    assert error(found, expected) <= LARGEST_ERROR
    if any(blend.values()):
        assert error(expected, case.reference({}, tokens)) > 1.0  # or the test would prove nothing


def test_weights_of_zero_are_the_base_model(case: Case) -> None:
    tokens = some_tokens(40, seed=2)
    zero = compute(case.runtime, case.stacked, [Piece(lanes(1)[0], tokens, named(case.stacked, {}))])
    assert error(zero, compute(case.runtime, stack((), case.shape), [Piece(lanes(1)[0], tokens)])) <= 1e-5


def test_weights_may_differ_from_layer_to_layer(case: Case) -> None:
    tokens = some_tokens(50, seed=3)
    weights = np.random.default_rng(3).normal(0, 0.6, (case.shape.layers, 3)).astype(np.float32)
    blend = {one.name: [float(w) for w in weights[:, place]] for place, one in enumerate(case.stacked.adapters)}
    found = compute(case.runtime, case.stacked, [Piece(lanes(1)[0], tokens, weights)])
    assert error(found, case.reference(blend, tokens)) <= LARGEST_ERROR


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    weights=st.lists(st.tuples(*[st.floats(-1.5, 1.5)] * 3), min_size=4, max_size=4),
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=3),
)
def test_rows_of_a_mixed_batch_read_in_pieces_are_each_row_alone(
    case: Case, lengths: list[int], weights: list[tuple[float, ...]], cuts: list[int]
) -> None:
    sequences = [some_tokens(length, seed=row) for row, length in enumerate(lengths)]
    own = [np.array(weights[row], np.float32) for row in range(len(lengths))]
    held = lanes(len(lengths), 96)
    found: list[list[Rows]] = [[] for _ in lengths]
    for size in itertools.chain(cuts, itertools.repeat(96)):
        pieces = [
            (row, Piece(lane, sequences[row][lane.past : lane.past + size], own[row]))
            for row, lane in enumerate(held)
            if lane.past < lengths[row]
        ]
        if not pieces:
            break
        rows = compute(case.runtime, case.stacked, [piece for _, piece in pieces])
        for (row, _), part in zip(
            pieces, np.split(rows, np.cumsum([len(p.tokens) for _, p in pieces])[:-1]), strict=True
        ):
            found[row].append(part)
    for row, tokens in enumerate(sequences):
        blend = {one.name: float(w) for one, w in zip(case.stacked.adapters, own[row], strict=True)}
        assert error(np.concatenate(found[row]), case.reference(blend, tokens)) <= LARGEST_ERROR


def test_a_prompt_filled_up_by_more_than_a_block_is_right_and_writes_over_nobody(case: Case) -> None:
    beside, reading = lanes(2)
    words, tokens, weights = some_tokens(50, seed=7), some_tokens(130, seed=8), named(case.stacked, {"calm": 0.5})
    compute(case.runtime, case.stacked, [Piece(beside, words[:40], weights)])
    found = compute(case.runtime, case.stacked, [Piece(reading, tokens, weights)])
    assert bucket(130) - 130 > BLOCK
    assert error(found, case.reference({"calm": 0.5}, tokens)) <= LARGEST_ERROR
    found = compute(case.runtime, case.stacked, [Piece(beside, words[40:], weights)])
    assert error(found, case.reference({"calm": 0.5}, words)[40:]) <= LARGEST_ERROR


def test_few_lengths_occur_and_none_is_filled_up_by_half() -> None:
    lengths = {tokens: bucket(tokens) for tokens in range(1, 1025)}
    assert all(tokens <= length < 1.5 * tokens for tokens, length in lengths.items())
    assert len({length for length in lengths.values() if length > FINE}) == 12


def test_blends_changed_at_every_token_are_those_of_models_merged_anew_for_every_token(case: Case) -> None:
    tokens, random = some_tokens(24, seed=5), np.random.default_rng(5)
    (lane,) = lanes(1)
    past = None
    for token in tokens:
        weights = random.normal(0, 0.7, 3).astype(np.float32)
        found = compute(case.runtime, case.stacked, [Piece(lane, [token], weights)])
        blend = {one.name: float(w) for one, w in zip(case.stacked.adapters, weights, strict=True)}
        with torch.inference_mode():
            output = merged(case.published.model, case.published.loras, blend)(
                torch.tensor([[token]]), past_key_values=past, use_cache=True
            )
        past = output.past_key_values
        assert error(found, output.logits[0].numpy()) <= LARGEST_ERROR


def test_a_piece_of_a_prompt_may_ask_for_no_logits(case: Case) -> None:
    class Silent:
        dtype, repeatable = case.runtime.dtype, case.runtime.repeatable

        def forward(self, batch: object) -> Rows:
            return case.runtime.forward(replace(batch, wanted=np.zeros(0, np.int32)))  # type: ignore[type-var]

    (lane,) = lanes(1)
    tokens = some_tokens(60, seed=6)
    weights = named(case.stacked, {"calm": 0.5})
    assert compute(Silent(), case.stacked, [Piece(lane, tokens[:40], weights)]).shape == (0, 150)
    found = compute(case.runtime, case.stacked, [Piece(lane, tokens[40:], weights)])
    assert error(found, case.reference({"calm": 0.5}, tokens)[40:]) <= LARGEST_ERROR


@pytest.mark.skipif(not multiplies_bf16(cpu_description()), reason="this processor does not multiply bfloat16")
def test_in_bfloat16_a_blend_is_the_merged_model_but_for_rounding(tmp_path: Path) -> None:
    there = published(tmp_path, "llama-3.2")
    runtime = OpenVinoRuntime(there.shape, there.weights, precision=Precision.BFLOAT16, blocks=BLOCKS, threads=1)
    tokens = some_tokens(70, seed=1)
    plain = logits(there.model, tokens)
    for blend in ({"thrilled": 0.4, "calm": 0.35, "afraid": 0.25}, {"thrilled": -0.7, "calm": 1.3}, {"afraid": 1.0}):
        # Each set of adapters is handed over anew, and those from before again.
        stacked = there.stacked(*blend)
        for _ in range(2):
            found = compute(runtime, stacked, [Piece(lanes(1)[0], tokens, named(stacked, blend))])
            expected = there.logits(blend, tokens)
            moved = float(np.sqrt(np.mean((expected - plain) ** 2)))
            assert float(np.sqrt(np.mean((found - expected) ** 2))) < LARGEST_ROUNDING * moved
            base = compute(runtime, stack((), there.shape), [Piece(lanes(1)[0], tokens)])
            assert float(np.sqrt(np.mean((base - plain) ** 2))) < LARGEST_ROUNDING * moved
