"""Blends as they are computed: the order of their adapters, their weights as a table, and what is no blend or no voice."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.blends import GRAIN, NOTHING, Held, ResolvedBlend, resolve
from emotional_ai_service.decoding.errors import CannotBlend, UnknownAdapter, WrongLayers
from emotional_ai_service.decoding.messages import (
    BlendWeight,
    GenerationRequest,
    Message,
    Role,
    Sampling,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.scheduler import union, weights_of

LAYERS = 3
NAMES = ("balanced", "high_cortisol", "high_dopamine", "calm", "wry")
ADAPTERS = {name: LoadedAdapter(name, "0" * 64, {}, {}, {}) for name in NAMES}

Given = dict[str, float | tuple[float, ...]]
"""A blend as it is asked for: by adapter one weight, or one per layer."""

weights = st.floats(-2, 2)
given_weights = st.one_of(weights, st.lists(weights, min_size=LAYERS, max_size=LAYERS).map(tuple))
blends = st.dictionaries(st.sampled_from(NAMES), given_weights, max_size=len(NAMES))


def resolved(blend: Given, held: Held | None = None) -> ResolvedBlend:
    named = [
        BlendWeight(name, 0.0, weight) if isinstance(weight, tuple) else BlendWeight(name, weight)
        for name, weight in blend.items()
    ]
    return resolve(tuple(named), Held(ADAPTERS.__getitem__) if held is None else held, LAYERS)


def rounded(blend: Given, name: str, layer: int) -> float:
    weight = blend.get(name, 0.0)
    return round((weight[layer] if isinstance(weight, tuple) else weight) * GRAIN) / GRAIN


@given(st.lists(st.tuples(blends, st.integers(1, 3)), min_size=1, max_size=4))
@example([({}, 1), ({"calm": (0.0, 1.0, -0.5)}, 2)])
@example([({"calm": 0.5, "wry": 0.25}, 1), ({"wry": 0.25, "calm": 0.5}, 1)])
def test_the_table_of_weights_holds_those_of_each_token_adapter_and_layer(asked: list[tuple[Given, int]]) -> None:
    given = [blend for blend, _ in asked]
    found = [resolved(blend) for blend in given]
    counts = [count for _, count in asked]
    adapters = union(found)
    table = weights_of(found, counts, adapters)
    deep = table.ndim == 3
    assert deep == any(one.layers for blend in found for one in blend.weights)
    assert table.shape[-2:] == (sum(counts), len(adapters))
    assert table.flags.c_contiguous
    rows = [blend for blend, count in asked for _ in range(count)]
    for layer in range(LAYERS):
        expected = [[rounded(blend, adapter.name, layer) for adapter in adapters] for blend in rows]
        assert (table[layer] if deep else table).tolist() == expected


@given(st.lists(blends, min_size=1, max_size=4))
def test_adapters_stand_once_in_one_order_whoever_names_them(given: list[Given]) -> None:
    found = [resolved(blend) for blend in given]
    adapters = union(found)
    assert set(adapters) == {adapter for blend in found for adapter in blend.adapters}
    assert list(adapters) == sorted(adapters, key=lambda adapter: adapter.place)
    for blend in found:
        assert list(blend.adapters) == [adapter for adapter in adapters if adapter in blend.adapters]
        assert all(one.weight or any(one.layers) for one in blend.weights)
        assert resolve(blend.weights, Held(ADAPTERS.__getitem__), LAYERS) == blend


def test_two_contents_of_one_name_and_digest_are_summed_in_the_order_they_were_read_in() -> None:
    first, second = (LoadedAdapter("calm", "0" * 64, {}, {}, {}) for _ in range(2))
    one, two = (ResolvedBlend((adapter,), (BlendWeight("calm", 1.0),)) for adapter in (first, second))
    assert union([two, one]) == union([one, two]) == (first, second)


def test_a_reply_keeps_the_content_it_named_first() -> None:
    there = {"calm": LoadedAdapter("calm", "0" * 64, {}, {}, {})}
    held = Held(there.__getitem__)
    before = resolved({"calm": 1.0}, held)
    there["calm"] = LoadedAdapter("calm", "1" * 64, {}, {}, {})
    assert resolved({"calm": 1.0}, held) == before
    assert resolved({"calm": 1.0}, Held(there.__getitem__)) != before


def test_what_is_not_found_is_not_held() -> None:
    def find(name: str) -> LoadedAdapter:
        raise UnknownAdapter(name)

    held = Held(find)
    with pytest.raises(UnknownAdapter):
        resolved({"calm": 1.0}, held)
    assert not held
    assert held.in_order == ()


def test_weights_that_round_to_nothing_are_the_base_model() -> None:
    assert resolved({"calm": 0.4 / GRAIN, "wry": (0.0, 0.0, -0.4 / GRAIN)}) == NOTHING


def test_beside_weights_per_layer_the_other_one_says_nothing() -> None:
    given = BlendWeight("calm", 1.1e30, (0.5,) * LAYERS)
    assert resolve((given,), Held(ADAPTERS.__getitem__), LAYERS).weights == (BlendWeight("calm", 0.0, (0.5,) * LAYERS),)


@pytest.mark.parametrize("weight", [1.1e30, -1.1e30, math.nan, (0.0, -1.1e30, 0.0), (0.0, math.nan, 0.0)])
def test_weights_beyond_what_single_precision_bears_and_no_numbers_are_refused(
    weight: float | tuple[float, ...],
) -> None:
    with pytest.raises(CannotBlend, match="calm"):
        resolved({"calm": weight})


@pytest.mark.parametrize("weight", [BlendWeight("calm", math.inf), BlendWeight("calm", 0.0, (0.0, math.nan, 1.0))])
def test_a_request_is_refused_with_weights_that_are_not_finite(weight: BlendWeight) -> None:
    messages = (Message(Role.USER, "hello"),)
    with pytest.raises(ValueError, match=r"weights must be finite.*calm"):
        GenerationRequest(messages, seed=1, blend=(weight,))
    with pytest.raises(ValueError, match=r"weights must be finite.*calm"):
        GenerationRequest(messages, seed=1, schedule=(VoiceChange(3, Voice((weight,), 1.0, 1.0)),))


def test_weights_for_another_number_of_layers_are_refused() -> None:
    with pytest.raises(WrongLayers):
        resolved({"calm": (1.0, 1.0)})


@pytest.mark.parametrize("temperature", [-0.1, 0.0, 2.0, 2.1, math.nan, math.inf])
@pytest.mark.parametrize("top_p", [-0.1, 0.0, 1e-9, 1.0, 1.1, math.nan])
def test_a_voice_is_refused_where_sampling_is(temperature: float, top_p: float) -> None:
    def refused(make: type[Sampling] | type[Voice]) -> bool:
        try:
            Sampling(temperature=temperature, top_p=top_p) if make is Sampling else Voice((), temperature, top_p)
        except ValueError as error:
            return "temperature must be in [0, 2]" in str(error)
        return False

    sound = temperature in (0.0, 2.0) and top_p in (1e-9, 1.0)
    assert refused(Sampling) == refused(Voice) == (not sound)
