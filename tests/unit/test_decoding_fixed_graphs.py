"""Graphs of fixed sizes and adapters: the logits of the graph for all, made for what is asked often, and never too many."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from flat_batches import Piece, Rows, compute, lanes, named
from flat_models import BLOCKS, LARGEST_ERROR, Published, error, published, some_tokens
from merging import Weights

from emotional_ai_service.decoding import Precision
from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.fixed_graphs import COUNTED, OFTEN, SIZES, FixedGraphs, Form, case_of, form_of
from emotional_ai_service.decoding.llama import parameters
from emotional_ai_service.decoding.memory import LARGEST_BESIDE, graphs_beside
from emotional_ai_service.decoding.openvino_graph import Case
from emotional_ai_service.decoding.openvino_request import Request
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime
from emotional_ai_service.decoding.stack import Stack, Stacks, stack
from emotional_ai_training.models import cpu_description, multiplies_bf16

PREFIX = 21
"""Tokens computed before replies speak together."""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return published(tmp_path_factory.mktemp("fixed"), "llama-3.2")


def made(case: Published, precision: Precision = Precision.FLOAT32) -> OpenVinoRuntime:
    """A runtime with room for one graph of fixed sizes."""
    return OpenVinoRuntime(case.shape, case.weights, precision=precision, blocks=BLOCKS, threads=1, fixed=1)


def named_adapter(case: Published, name: str) -> LoadedAdapter:
    return next(one for one in case.adapters if one.name == name)


def last(case: Published, blend: dict[str, Weights], tokens: list[int], count: int) -> Rows:
    """Logits of the last tokens by the model into which the blend was merged."""
    return case.logits(blend, tokens)[-count:]


def make_graph(runtime: OpenVinoRuntime, stacked: Stack, count: int) -> Form:
    """Has `count` replies speak until there is a graph for them, and says for which form."""
    held = lanes(count, 32)
    weights = np.zeros(len(stacked.adapters), np.float32)
    for _ in range(OFTEN):
        for lane in held:
            lane.past = 0
        compute(runtime, stacked, [Piece(lane, [7], weights) for lane in held])
    runtime.fixed.settle()
    (form,) = runtime.fixed.forms
    return form


def spoken(
    runtime: OpenVinoRuntime, stacked: Stack, sequences: Sequence[list[int]], weights: Sequence[Rows]
) -> list[Rows]:
    """Logits of what follows the prefix of each sequence, spoken together token by token."""
    held = lanes(len(sequences), 96)
    for lane, tokens, own in zip(held, sequences, weights, strict=True):
        compute(runtime, stacked, [Piece(lane, tokens[:PREFIX], own)])
    steps = [
        compute(
            runtime, stacked, [Piece(lane, [t[at]], w) for lane, t, w in zip(held, sequences, weights, strict=True)]
        )
        for at in range(PREFIX, len(sequences[0]))
    ]
    return list(np.stack(steps, axis=1))


@pytest.mark.parametrize("count", [1, 3, 4, 9, 16])
def test_a_mixed_batch_is_each_merged_model(case: Published, count: int) -> None:
    runtime, stacked = made(case), case.stacked()
    size = next(size for size in SIZES if size >= count)
    assert make_graph(runtime, stacked, count) == form_of(Case(size, stacked))
    sequences = [some_tokens(PREFIX + 4, seed=row) for row in range(count)]
    weights = list(np.random.default_rng(count).normal(0, 0.7, (count, 3)).astype(np.float32))
    for tokens, own, found in zip(sequences, weights, spoken(runtime, stacked, sequences, weights), strict=True):
        blend = {one.name: float(w) for one, w in zip(stacked.adapters, own, strict=True)}
        assert error(found, last(case, blend, tokens, 4)) <= LARGEST_ERROR


def test_the_graph_for_all_sizes_goes_on_where_one_of_fixed_sizes_was(case: Published) -> None:
    runtime, stacked = made(case), case.stacked()
    make_graph(runtime, stacked, 1)
    tokens, weights = some_tokens(PREFIX + 8, seed=1), named(stacked, {"calm": 0.6, "thrilled": -0.3})
    (lane,) = lanes(1)
    rows = [compute(runtime, stacked, [Piece(lane, tokens[:PREFIX], weights)])]
    rows += [compute(runtime, stacked, [Piece(lane, [token], weights)]) for token in tokens[PREFIX : PREFIX + 4]]
    rows += [compute(runtime, stacked, [Piece(lane, tokens[PREFIX + 4 :], weights)])]
    found = np.concatenate(rows)
    assert error(found, last(case, {"calm": 0.6, "thrilled": -0.3}, tokens, len(tokens))) <= LARGEST_ERROR


def test_weights_may_differ_from_layer_to_layer(case: Published) -> None:
    runtime, stacked = made(case), case.stacked()
    make_graph(runtime, stacked, 3)
    sequences = [some_tokens(PREFIX + 2, seed=row) for row in range(3)]
    weights = list(np.random.default_rng(9).normal(0, 0.6, (3, case.shape.layers, 3)).astype(np.float32))
    for tokens, own, found in zip(sequences, weights, spoken(runtime, stacked, sequences, weights), strict=True):
        blend = {one.name: [float(w) for w in own[:, place]] for place, one in enumerate(stacked.adapters)}
        assert error(found, last(case, blend, tokens, 2)) <= LARGEST_ERROR


def test_another_content_of_an_adapter_is_spoken_with_at_once_and_has_a_graph_of_its_own(case: Published) -> None:
    runtime, calm = made(case), named_adapter(case, "calm")
    first = stack([calm], case.shape)
    opposite = replace(calm, digest="another", up={at: -values for at, values in calm.up.items()})
    second = stack([opposite], case.shape)
    tokens = some_tokens(PREFIX + 3, seed=3)

    def check(stacked: Stack, weight: float) -> None:
        (found,) = spoken(runtime, stacked, [tokens], [np.array([0.8], np.float32)])
        assert error(found, last(case, {"calm": weight}, tokens, 3)) <= LARGEST_ERROR

    form = make_graph(runtime, first, 1)
    for stacked, weight in ((first, 0.8), (second, -0.8), (first, 0.8)):
        check(stacked, weight)
        assert runtime.fixed.forms == (form,)
    assert make_graph(runtime, second, 1) != form
    for stacked, weight in ((second, -0.8), (first, 0.8), (second, -0.8)):
        check(stacked, weight)


def test_the_same_adapters_stacked_anew_take_the_same_graph(case: Published) -> None:
    runtime, calm = made(case), named_adapter(case, "calm")
    form = make_graph(runtime, stack([calm], case.shape), 1)
    tokens, again = some_tokens(PREFIX + 3, seed=5), stack([calm], case.shape)
    assert form_of(Case(1, again)) == form
    (found,) = spoken(runtime, again, [tokens], [np.array([0.7], np.float32)])
    assert error(found, last(case, {"calm": 0.7}, tokens, 3)) <= LARGEST_ERROR


def test_what_no_adapter_adapts_has_no_inputs_and_no_adapters_at_all_is_the_base_model(case: Published) -> None:
    tokens = some_tokens(PREFIX + 3, seed=4)
    blends: tuple[dict[str, Weights], ...] = ({"afraid": 0.9}, {})
    for blend in blends:
        runtime, stacked = made(case), stack([one for one in case.adapters if one.name in blend], case.shape)
        inputs = {port.any_name for port in runtime._graph.build(Case(1, stacked)).inputs}
        assert {name.split(".")[2] for name in inputs if name.startswith(("weight", "up", "down"))} == set(
            ["down"] if blend else []
        )
        make_graph(runtime, stacked, 1)
        (found,) = spoken(runtime, stacked, [tokens], [np.full(len(blend), 0.9, np.float32)])
        assert error(found, last(case, blend, tokens, 3)) <= LARGEST_ERROR


@pytest.mark.skipif(not multiplies_bf16(cpu_description()), reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("count", [1, 4, 16])
def test_in_bfloat16_it_computes_what_the_graph_for_all_sizes_computes(case: Published, count: int) -> None:
    runtime, stacked = made(case, Precision.BFLOAT16), case.stacked()
    sequences = [some_tokens(PREFIX + 3, seed=row) for row in range(count)]
    weights = list(np.random.default_rng(6).normal(0, 0.7, (count, 3)).astype(np.float32))
    before = spoken(runtime, stacked, sequences, weights)
    make_graph(runtime, stacked, count)
    after = spoken(runtime, stacked, sequences, weights)
    exact = [
        last(case, {one.name: float(w) for one, w in zip(stacked.adapters, own, strict=True)}, tokens, 3)
        for tokens, own in zip(sequences, weights, strict=True)
    ]
    rounding = max(map(error, before, exact))
    assert max(map(error, after, exact)) <= 1.5 * rounding


def test_in_int8_it_computes_what_the_graph_for_all_sizes_computes(case: Published) -> None:
    runtime, stacked = made(case, Precision.INT8), case.stacked()
    sequences = [some_tokens(PREFIX + 3, seed=row) for row in range(4)]
    weights = list(np.random.default_rng(2).normal(0, 0.7, (4, 3)).astype(np.float32))
    before = spoken(runtime, stacked, sequences, weights)
    make_graph(runtime, stacked, 4)
    after = spoken(runtime, stacked, sequences, weights)
    assert max(map(error, before, after)) <= LARGEST_ERROR


def test_only_replies_that_all_speak_are_a_case(case: Published) -> None:
    seen: list[Case | None] = []

    class Looking:
        dtype, repeatable = "float32", False

        def forward(self, batch: object) -> Rows:
            seen.append(case_of(batch))  # type: ignore[arg-type]
            return np.zeros((0, 1), np.float32)

    stacked, weights = case.stacked("calm"), np.ones(1, np.float32)
    held = lanes(17, 32)
    compute(Looking(), stacked, [Piece(lane, [1], weights) for lane in held[:16]])
    compute(Looking(), stacked, [Piece(lane, [1], weights) for lane in held])
    compute(Looking(), stacked, [Piece(held[0], [1], weights), Piece(held[1], [1, 2], weights)])
    assert seen == [Case(16, stacked), None, None]


def test_adapters_that_cost_hardly_anything_are_stacked_together_whoever_speaks(case: Published) -> None:
    wordy = replace(case.shape, vocabulary=10**6)  # beside so many embeddings these adapters are hardly anything
    stacks = Stacks(wordy)
    calm, afraid = named_adapter(case, "calm"), named_adapter(case, "afraid")
    both = (calm, afraid)
    assert stacks.around((calm,), both).adapters == both
    assert stacks.around((), both).adapters == ()
    other = named_adapter(case, "thrilled")
    assert stacks.around((other,), both).adapters == (other,)  # one that no new reply would speak with
    assert Stacks(case.shape).around((calm,), both).adapters == (calm,)  # here they are more than that


# What is made, and when


class Maker:
    """Makes a graph for each case once it is let, or fails to."""

    def __init__(self, fails: Callable[[Case], bool] = lambda _: False) -> None:
        self.begun: list[Case] = []
        self.let = threading.Event()
        self.let.set()
        self._fails = fails

    def __call__(self, case: Case) -> Request:
        self.begun.append(case)
        assert self.let.wait(60)
        if self._fails(case):
            raise RuntimeError("no memory")
        return cast("Request", case)


def ask(graphs: FixedGraphs, case: Case, times: int) -> None:
    for _ in range(times):
        graphs.of(case)
    graphs.settle()


def forms(*cases: Case) -> tuple[Form, ...]:
    return tuple(map(form_of, cases))


ONE, TWO, THREE = (Case(size, Stack((), {}, {}, {})) for size in SIZES[:3])


def test_a_graph_is_made_for_what_is_asked_often_and_for_nothing_else() -> None:
    make = Maker()
    graphs = FixedGraphs(make, 2)
    ask(graphs, ONE, OFTEN - 1)
    assert make.begun == []
    ask(graphs, ONE, 1)
    assert make.begun == [ONE]
    assert graphs.of(ONE) is cast("Request", ONE)
    assert graphs.of(TWO) is None


def test_while_one_is_made_the_work_goes_on_and_no_other_is_begun() -> None:
    make = Maker()
    make.let.clear()
    graphs = FixedGraphs(make, 2)
    for case in (ONE, TWO):
        for _ in range(OFTEN + 5):
            assert graphs.of(case) is None
    assert make.begun == [ONE]
    make.let.set()
    graphs.settle()
    ask(graphs, TWO, 1)  # it was asked for often enough meanwhile
    assert graphs.forms == forms(ONE, TWO)


def test_beyond_so_many_the_one_not_used_for_longest_is_dropped_and_must_be_asked_for_anew() -> None:
    make = Maker()
    graphs = FixedGraphs(make, 2)
    for case in (ONE, TWO):
        ask(graphs, case, OFTEN)
    graphs.of(ONE)
    ask(graphs, THREE, OFTEN)
    assert graphs.forms == forms(ONE, THREE)
    ask(graphs, TWO, OFTEN - 1)
    assert make.begun == [ONE, TWO, THREE]
    ask(graphs, TWO, 1)
    assert graphs.forms == forms(THREE, TWO)


def test_one_that_cannot_be_made_is_told_and_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    make = Maker(fails=lambda case: case == ONE)
    graphs = FixedGraphs(make, 2)
    with caplog.at_level(logging.ERROR):
        ask(graphs, ONE, OFTEN)
    assert "no graph of fixed sizes for 1 replies" in caplog.text
    ask(graphs, ONE, 2 * OFTEN)
    ask(graphs, TWO, OFTEN)
    assert make.begun == [ONE, TWO]
    assert graphs.forms == forms(TWO)


def test_only_so_many_cases_are_counted(case: Published) -> None:
    make = Maker()
    graphs = FixedGraphs(make, 1)
    calm = named_adapter(case, "calm")
    for _ in range(3 * COUNTED):
        graphs.of(Case(1, Stack((replace(calm),), {}, {}, {})))
    assert len(graphs._asked) <= COUNTED
    ask(graphs, ONE, OFTEN)
    assert make.begun == [ONE]


def test_with_room_for_none_none_is_made() -> None:
    make = Maker()
    ask(FixedGraphs(make, 0), ONE, 3 * OFTEN)
    assert make.begun == []


def test_how_many_follows_from_the_memory_there_is_and_a_large_model_does_without(case: Published) -> None:
    each = 2 * parameters(case.shape)
    assert graphs_beside(case.shape, Precision.BFLOAT16, 12 * each) == 2
    assert graphs_beside(case.shape, Precision.BFLOAT16, 5 * each) == 0
    assert graphs_beside(case.shape, Precision.BFLOAT16, -each) == 0
    assert graphs_beside(case.shape, Precision.FLOAT32, 12 * each) == 1
    half = replace(case.shape, vocabulary=LARGEST_BESIDE // (6 * case.shape.hidden))
    assert graphs_beside(half, Precision.BFLOAT16, 1 << 40) == 2
    assert graphs_beside(half, Precision.FLOAT32, 1 << 40) == 1
    assert graphs_beside(replace(half, vocabulary=4 * half.vocabulary), Precision.BFLOAT16, 1 << 40) == 0
