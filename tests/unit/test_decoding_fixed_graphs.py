"""Graphs of fixed sizes and adapters: the logits of the graph for all, made for what is asked often, and never too many."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from flat_batches import Piece, Rows, compute, lanes, named
from flat_models import BLOCKS, LARGEST_ERROR, Published, error, published, some_tokens
from merging import Weights

from emotional_ai_service.decoding import Precision
from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.fixed_graphs import COUNTED, OFTEN, SIZES, WORTH, FixedGraphs, case_of
from emotional_ai_service.decoding.llama import GROUPS, parameters
from emotional_ai_service.decoding.memory import LARGEST_BESIDE, graphs_beside
from emotional_ai_service.decoding.openvino_graph import Case, Form
from emotional_ai_service.decoding.openvino_request import Request
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime
from emotional_ai_service.decoding.stack import Stack, Stacks, stack
from emotional_ai_training.models import cpu_description, multiplies_bf16

PREFIX = 21
"""Tokens computed before replies speak together."""
ROUNDED = 0.3
"""Greatest error of a logit in bfloat16; that of a wrong adapter is above 1."""
PRECISIONS = pytest.mark.parametrize(
    "precision",
    [
        Precision.FLOAT32,
        pytest.param(
            Precision.BFLOAT16,
            marks=pytest.mark.skipif(
                not multiplies_bf16(cpu_description()), reason="this processor does not multiply bfloat16"
            ),
        ),
    ],
)


def within(precision: Precision) -> float:
    """The greatest error of a logit."""
    return LARGEST_ERROR if precision is Precision.FLOAT32 else ROUNDED


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return published(tmp_path_factory.mktemp("fixed"), "llama-3.2")


def made(case: Published, precision: Precision = Precision.FLOAT32, most: int = 1) -> OpenVinoRuntime:
    """A runtime with room for `most` graphs of fixed sizes."""
    return OpenVinoRuntime(case.shape, case.weights, precision=precision, blocks=BLOCKS, threads=1, fixed=most)


def named_adapter(case: Published, name: str) -> LoadedAdapter:
    return next(one for one in case.adapters if one.name == name)


def last(case: Published, blend: dict[str, Weights], tokens: list[int], count: int) -> Rows:
    """Logits of the last tokens by the model into which the blend was merged."""
    return case.logits(blend, tokens)[-count:]


def make_graph(runtime: OpenVinoRuntime, stacked: Stack, count: int, layers: int = 0) -> Form:
    """Has `count` replies speak until there is a graph for them, and says for which form.

    Their weights are those of every layer, or differ by layer, of which there are `layers`.
    """
    held = lanes(count, 32)
    weights = np.zeros((layers, len(stacked.adapters)) if layers else len(stacked.adapters), np.float32)
    for _ in range(OFTEN):
        for lane in held:
            lane.past = 0
        compute(runtime, stacked, [Piece(lane, [7], weights) for lane in held])
    runtime.fixed.settle()
    return runtime.fixed.forms[-1]


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


@PRECISIONS
@pytest.mark.parametrize("count", [1, 3, 4, 9, 16])
def test_a_mixed_batch_is_each_merged_model(case: Published, count: int, precision: Precision) -> None:
    runtime, stacked = made(case, precision), case.stacked()
    assert make_graph(runtime, stacked, count).tokens == next(size for size in SIZES if size >= count)
    sequences = [some_tokens(PREFIX + 4, seed=row) for row in range(count)]
    weights = list(np.random.default_rng(count).normal(0, 0.7, (count, 3)).astype(np.float32))
    for tokens, own, found in zip(sequences, weights, spoken(runtime, stacked, sequences, weights), strict=True):
        blend = {one.name: float(w) for one, w in zip(stacked.adapters, own, strict=True)}
        assert error(found, last(case, blend, tokens, 4)) <= within(precision)


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


@PRECISIONS
def test_weights_may_differ_from_layer_to_layer(case: Published, precision: Precision) -> None:
    runtime, stacked = made(case, precision), case.stacked()
    assert make_graph(runtime, stacked, 3, case.shape.layers).deep
    sequences = [some_tokens(PREFIX + 2, seed=row) for row in range(3)]
    weights = list(np.random.default_rng(9).normal(0, 0.6, (3, case.shape.layers, 3)).astype(np.float32))
    for tokens, own, found in zip(sequences, weights, spoken(runtime, stacked, sequences, weights), strict=True):
        blend = {one.name: [float(w) for w in own[:, place]] for place, one in enumerate(stacked.adapters)}
        assert error(found, last(case, blend, tokens, 2)) <= within(precision)


@PRECISIONS
def test_weights_that_differ_by_layer_and_weights_that_do_not_have_graphs_apart(
    case: Published, precision: Precision
) -> None:
    runtime, stacked = made(case, precision, most=2), case.stacked("calm")
    make_graph(runtime, stacked, 1)
    make_graph(runtime, stacked, 1, case.shape.layers)
    assert {form.deep for form in runtime.fixed.forms} == {False, True}
    tokens, layered = some_tokens(PREFIX + 2, seed=6), np.linspace(-0.9, 0.9, case.shape.layers, dtype=np.float32)
    for own in (np.array([0.8], np.float32), layered[:, None], np.array([-0.4], np.float32)):
        (found,) = spoken(runtime, stacked, [tokens], [own])
        blend = {"calm": [float(one) for one in own[:, 0]] if own.ndim == 2 else float(own[0])}
        assert error(found, last(case, blend, tokens, 2)) <= within(precision)


@PRECISIONS
def test_another_content_of_the_same_rows_is_never_spoken_with_a_graph_of_the_first(
    case: Published, precision: Precision
) -> None:
    runtime, calm = made(case, precision), named_adapter(case, "calm")
    opposite = replace(calm, digest="another", up={at: -values for at, values in calm.up.items()})
    first, second = stack([calm], case.shape), stack([opposite], case.shape)
    tokens = some_tokens(PREFIX + 3, seed=3)
    form = make_graph(runtime, first, 1)
    for stacked, weight in ((first, 0.8), (second, -0.8), (first, 0.8)):
        (found,) = spoken(runtime, stacked, [tokens], [np.array([0.8], np.float32)])
        assert error(found, last(case, {"calm": weight}, tokens, 3)) <= within(precision)
        assert runtime.fixed.forms == (form,)
    if precision is Precision.FLOAT32:
        assert form == Form(1, first.rows)  # where adapters are inputs the second takes the graph of the first
    else:
        assert form == Form(1, (calm.loading,))
        runtime.forget(calm)
        assert runtime.fixed.forms == ()
        assert make_graph(runtime, second, 1) == Form(1, (opposite.loading,))
        (found,) = spoken(runtime, second, [tokens], [np.array([0.8], np.float32)])
        assert error(found, last(case, {"calm": -0.8}, tokens, 3)) <= ROUNDED


@PRECISIONS
def test_the_same_adapters_stacked_anew_take_the_same_graph(case: Published, precision: Precision) -> None:
    runtime, calm = made(case, precision), named_adapter(case, "calm")
    form = make_graph(runtime, stack([calm], case.shape), 1)
    tokens, again = some_tokens(PREFIX + 3, seed=5), stack([calm], case.shape)
    assert runtime._graph.form_of(Case(1, again)) == form
    (found,) = spoken(runtime, again, [tokens], [np.array([0.7], np.float32)])
    assert error(found, last(case, {"calm": 0.7}, tokens, 3)) <= within(precision)


@PRECISIONS
@pytest.mark.parametrize("group", [*GROUPS, None])
def test_what_no_adapter_adapts_has_no_inputs_and_no_adapters_at_all_is_the_base_model(
    case: Published, group: str | None, precision: Precision
) -> None:
    """Where adapters are constants their factors are no inputs either."""
    runtime = made(case, precision)
    adapters = [] if group is None else [only(named_adapter(case, "thrilled"), group)]
    stacked = stack(adapters, case.shape)
    factors = [] if group is None or precision is Precision.BFLOAT16 else ["down", "up"]
    names = {f"{factor}.{layer}.{group}" for factor in factors for layer in range(case.shape.layers)}
    deep = {f"weight.{layer}.{group}" for layer in range(case.shape.layers) if group is not None}
    assert of_adapters(runtime, Case(1, stacked, deep=True)) == names | deep
    assert of_adapters(runtime, Case(1, stacked)) == names | ({f"weight.{group}"} if group is not None else set())
    tokens, weights = some_tokens(PREFIX + 3, seed=4), np.full(len(adapters), 0.9, np.float32)
    (before,) = spoken(runtime, stacked, [tokens], [weights])
    make_graph(runtime, stacked, 1)
    (after,) = spoken(runtime, stacked, [tokens], [weights])
    assert error(after, before) <= within(precision)
    if group is None:
        assert error(after, last(case, {}, tokens, 3)) <= within(precision)


def of_adapters(runtime: OpenVinoRuntime, case: Case) -> set[str]:
    """Inputs of a graph that are there for adapters."""
    names = {port.any_name for port in runtime._graph.build(case).inputs}
    return {name for name in names if name.startswith(("weight", "up", "down"))}


def only(adapter: LoadedAdapter, group: str) -> LoadedAdapter:
    """An adapter without what it adapts in other groups."""
    rows = {one: count if one == group else 0 for one, count in adapter.rows.items()}

    def kept(factors: Mapping[tuple[int, str], Rows]) -> dict[tuple[int, str], Rows]:
        return {at: values[: rows[at[1]]] for at, values in factors.items()}

    return replace(adapter, rows=rows, down=kept(adapter.down), up=kept(adapter.up))


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
    layers = np.ones((case.shape.layers, 1), np.float32)
    compute(Looking(), stacked, [Piece(lane, [1], layers) for lane in held[:3]])
    assert seen == [Case(16, stacked), None, None, Case(4, stacked, deep=True)]


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


def form_of(case: Case) -> Form:
    return Form(case.tokens, tuple(adapter.loading for adapter in case.stack.adapters))


def ask(graphs: FixedGraphs, case: Case, times: int) -> None:
    for _ in range(times):
        graphs.of(case)
    graphs.settle()


def forms(*cases: Case) -> tuple[Form, ...]:
    return tuple(map(form_of, cases))


ONE, TWO, THREE = (Case(size, Stack((), {}, {}, {})) for size in SIZES[:3])


def test_a_graph_is_made_for_what_is_asked_often_and_for_nothing_else() -> None:
    make = Maker()
    graphs = FixedGraphs(make, form_of, 2)
    ask(graphs, ONE, OFTEN - 1)
    assert make.begun == []
    ask(graphs, ONE, 1)
    assert make.begun == [ONE]
    assert graphs.of(ONE) is cast("Request", ONE)
    assert graphs.of(TWO) is None


def test_while_one_is_made_the_work_goes_on_and_no_other_is_begun() -> None:
    make = Maker()
    make.let.clear()
    graphs = FixedGraphs(make, form_of, 2)
    for case in (ONE, TWO):
        for _ in range(OFTEN + 5):
            assert graphs.of(case) is None
    assert make.begun == [ONE]
    make.let.set()
    graphs.settle()
    ask(graphs, TWO, 1)  # it was asked for often enough meanwhile
    assert graphs.forms == forms(ONE, TWO)


def test_beyond_so_many_one_must_be_worth_it_and_the_one_not_used_for_longest_is_dropped() -> None:
    make = Maker()
    graphs = FixedGraphs(make, form_of, 2)
    for case in (ONE, TWO):
        ask(graphs, case, OFTEN)
    graphs.of(ONE)
    ask(graphs, THREE, WORTH - 1)
    assert graphs.forms == forms(TWO, ONE)
    ask(graphs, THREE, 1)
    assert graphs.forms == forms(ONE, THREE)
    ask(graphs, TWO, WORTH - 1)
    assert make.begun == [ONE, TWO, THREE]
    ask(graphs, TWO, 1)
    assert graphs.forms == forms(THREE, TWO)


def test_one_that_cannot_be_made_is_told_and_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    make = Maker(fails=lambda case: case == ONE)
    graphs = FixedGraphs(make, form_of, 2)
    with caplog.at_level(logging.ERROR):
        ask(graphs, ONE, OFTEN)
    assert "no graph of fixed sizes for 1 replies" in caplog.text
    ask(graphs, ONE, 2 * OFTEN)
    ask(graphs, TWO, OFTEN)
    assert make.begun == [ONE, TWO]
    assert graphs.forms == forms(TWO)


def test_what_is_forgotten_is_dropped_and_what_was_being_made_of_it_is_not_taken(case: Published) -> None:
    make = Maker()
    graphs = FixedGraphs(make, form_of, 4)
    calm, afraid = named_adapter(case, "calm"), named_adapter(case, "afraid")
    alone, both, other = (Case(1, Stack(of, {}, {}, {})) for of in ((calm,), (calm, afraid), (afraid,)))
    for one in (alone, other):
        ask(graphs, one, OFTEN)
    make.let.clear()
    for _ in range(OFTEN):
        graphs.of(both)
    graphs.forget(calm.loading)
    make.let.set()
    graphs.settle()
    assert make.begun == [alone, other, both]
    assert graphs.forms == forms(other)
    ask(graphs, alone, 1)  # by a reply that goes on with it
    assert graphs.forms == forms(other, alone)


def test_only_so_many_cases_are_counted(case: Published) -> None:
    make = Maker()
    graphs = FixedGraphs(make, form_of, 1)
    calm = named_adapter(case, "calm")
    for _ in range(3 * COUNTED):
        graphs.of(Case(1, Stack((replace(calm),), {}, {}, {})))
    assert len(graphs._asked) <= COUNTED
    ask(graphs, ONE, OFTEN)
    assert make.begun == [ONE]


def test_with_room_for_none_none_is_made() -> None:
    make = Maker()
    ask(FixedGraphs(make, form_of, 0), ONE, 3 * OFTEN)
    assert make.begun == []


def test_how_many_follows_from_the_memory_there_is_and_a_large_model_does_without(case: Published) -> None:
    each = 2 * parameters(case.shape)
    assert graphs_beside(case.shape, Precision.BFLOAT16, 21 * each) == 2
    assert graphs_beside(case.shape, Precision.BFLOAT16, 5 * each) == 0
    assert graphs_beside(case.shape, Precision.BFLOAT16, -each) == 0
    assert graphs_beside(case.shape, Precision.FLOAT32, 21 * each) == 1
    half = replace(case.shape, vocabulary=LARGEST_BESIDE // (11 * case.shape.hidden))
    assert graphs_beside(half, Precision.BFLOAT16, 1 << 40) == 2
    assert graphs_beside(half, Precision.FLOAT32, 1 << 40) == 1
    assert graphs_beside(replace(half, vocabulary=4 * half.vocabulary), Precision.BFLOAT16, 1 << 40) == 0
