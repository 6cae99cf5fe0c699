"""The blend law: what it promises, for random agents, states and further adapters."""

import math

import pytest
from core_strategies import baselines, distance, levels, number
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from emotional_ai_service.core.blending import Prototype, blend, blend_weights
from emotional_ai_service.core.names import Vector4
from emotional_ai_training.conditioning import ADAPTERS, BASELINE, PEAKS, prototype

BALANCED = ADAPTERS.index("balanced")
chemicals = st.integers(0, 3)
further = st.lists(levels, min_size=1, max_size=6).map(
    lambda found: tuple(Prototype(f"further_{index}", place) for index, place in enumerate(found))
)


def put(x: Vector4, chemical: int, level: float) -> Vector4:
    y = list(x)
    y[chemical] = level
    return y[0], y[1], y[2], y[3]


def peak_of(chemical: int, baseline: Vector4) -> Vector4:
    """Where the adapter of a chemical speaks alone, for an agent of this baseline."""
    peak = PEAKS[chemical] if PEAKS[chemical] > baseline[chemical] else 1.0
    return put(baseline, chemical, peak)


def apart(places: list[Vector4]) -> bool:
    return all(distance(a, b) > 1e-6 for index, a in enumerate(places) for b in places[:index])


@given(levels, baselines)
@settings(deadline=None)
def test_blend_weights_are_shares_of_one(x: Vector4, baseline: Vector4) -> None:
    weights = blend_weights(x, baseline)
    assert len(weights) == len(ADAPTERS)
    assert all(0 <= weight <= 1 for weight in weights)
    assert math.fsum(weights) == pytest.approx(1.0, abs=1e-15)


@given(levels, baselines, chemicals, number(0.0, 1.0))
@settings(deadline=None)
def test_an_adapter_weighs_more_as_its_chemical_rises(
    x: Vector4, baseline: Vector4, chemical: int, level: float
) -> None:
    low, high = sorted((x[chemical], level))
    before, after = (blend_weights(put(x, chemical, value), baseline) for value in (low, high))
    assert after[chemical] >= before[chemical] - 1e-15
    assert all(after[other] <= before[other] + 1e-15 for other in range(5) if other != chemical)


@given(levels, baselines, levels, number(1e-9, 1e-3))
@settings(deadline=None)
def test_blend_weights_are_continuous(x: Vector4, baseline: Vector4, towards: Vector4, step: float) -> None:
    """Lipschitz: each excess has slope at most 1 / room, and sharing among five at most doubles their sum."""
    near = tuple(a + step * (b - a) for a, b in zip(x, towards, strict=True))
    rooms = [(peak if peak > b else 1.0) - b for peak, b in zip(PEAKS, baseline, strict=True)]
    assume(min(rooms) > 1e-3)
    bound = 2 * sum(abs(a - b) / room for a, b, room in zip(near, x, rooms, strict=True))
    moved = distance(blend_weights((near[0], near[1], near[2], near[3]), baseline), blend_weights(x, baseline))
    assert moved <= bound + 1e-14


@given(baselines, chemicals)
@settings(deadline=None)
def test_at_a_prototype_one_adapter_speaks_alone(baseline: Vector4, chemical: int) -> None:
    peak = PEAKS[chemical] if PEAKS[chemical] > baseline[chemical] else 1.0
    weights = blend_weights(put(baseline, chemical, peak), baseline)
    assert weights == tuple(float(index == chemical) for index in range(5))


@given(baselines)
@settings(deadline=None)
def test_at_the_baseline_the_balanced_adapter_speaks_alone(baseline: Vector4) -> None:
    assert blend_weights(baseline, baseline) == (0.0, 0.0, 0.0, 0.0, 1.0)
    assert BALANCED == 4


@given(levels, baselines)
@settings(deadline=None)
def test_without_further_adapters_the_law_is_that_of_the_five(x: Vector4, baseline: Vector4) -> None:
    shares = blend(x, baseline)
    assert [share.adapter for share in shares] == list(ADAPTERS)
    assert tuple(share.weight for share in shares) == blend_weights(x, baseline)


@given(levels, baselines, further)
@settings(deadline=None)
def test_weights_with_further_adapters_are_shares_of_one(
    x: Vector4, baseline: Vector4, adapters: tuple[Prototype, ...]
) -> None:
    shares = blend(x, baseline, adapters)
    assert [share.adapter for share in shares] == [*ADAPTERS, *(one.adapter for one in adapters)]
    assert all(0 <= share.weight <= 1 for share in shares)
    assert math.fsum(share.weight for share in shares) == pytest.approx(1.0, abs=1e-12)


@given(baselines, further, st.data())
@settings(deadline=None)
def test_at_every_prototype_one_adapter_speaks_alone(
    baseline: Vector4, adapters: tuple[Prototype, ...], data: st.DataObject
) -> None:
    places = [*(peak_of(chemical, baseline) for chemical in range(4)), baseline, *(one.levels for one in adapters)]
    assume(apart(places))
    alone = data.draw(st.integers(0, len(places) - 1))
    weights = [share.weight for share in blend(places[alone], baseline, adapters)]
    assert weights == [float(index == alone) for index in range(len(places))]


@given(levels, baselines, further, levels, number(1e-9, 1e-3))
@settings(deadline=None)
def test_weights_with_further_adapters_are_continuous(
    x: Vector4, baseline: Vector4, adapters: tuple[Prototype, ...], towards: Vector4, step: float
) -> None:
    """Lipschitz: an affinity has slope at most 1 / (room reach), and sharing adds the slope of all of them and of the five."""
    places = [*(peak_of(chemical, baseline) for chemical in range(4)), baseline, *(one.levels for one in adapters)]
    assume(apart(places))
    rooms = [min((peak if peak > b else 1.0) - b, b) for peak, b in zip(PEAKS, baseline, strict=True)]
    assume(min(rooms) > 1e-2)
    nearest = min(distance(a, b) for index, a in enumerate(places) for b in places[:index])
    near = tuple(a + step * (b - a) for a, b in zip(x, towards, strict=True))
    one = [share.weight for share in blend(x, baseline, adapters)]
    other = [share.weight for share in blend((near[0], near[1], near[2], near[3]), baseline, adapters)]
    slope = (2 * len(adapters) / nearest + 8) / min(rooms)
    assert distance(tuple(one), tuple(other)) <= slope * distance(x, near) + 1e-12


@given(levels, baselines, levels, st.integers(2, 4))
@settings(deadline=None)
def test_adapters_of_one_prototype_share_its_weight_equally(
    x: Vector4, baseline: Vector4, place: Vector4, count: int
) -> None:
    assume(apart([*(peak_of(chemical, baseline) for chemical in range(4)), baseline, place]))
    (*five, alone) = (share.weight for share in blend(x, baseline, (Prototype("one", place),)))
    twins = tuple(Prototype(f"twin_{index}", place) for index in range(count))
    weights = [share.weight for share in blend(x, baseline, twins)]
    assert weights == pytest.approx([*five, *[alone / count] * count], abs=1e-12)


@given(levels, st.sampled_from(ADAPTERS))
@settings(deadline=None)
def test_a_further_adapter_on_a_prototype_of_the_five_has_half_its_weight(x: Vector4, adapter: str) -> None:
    weights = dict(blend(x, BASELINE, (Prototype("another", prototype(adapter)),)))
    expected = dict(zip(ADAPTERS, blend_weights(x, BASELINE), strict=True))
    assert weights.pop("another") == weights[adapter] == pytest.approx(expected[adapter] / 2)
    assert weights | {adapter: expected[adapter]} == pytest.approx(expected)


def test_a_further_adapter_fades_in_towards_its_prototype() -> None:
    """Dopamine and oxytocin high together: the five would halve; a further adapter takes over on the way there."""
    fond = Prototype("fond", (0.9, 0.6, 0.3, 0.9))
    on_the_way = [
        dict(blend((0.5 + 0.4 * t, 0.6, 0.3, 0.5 + 0.4 * t), BASELINE, (fond,))) for t in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert [weights["fond"] for weights in on_the_way] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert on_the_way[2]["high_dopamine"] == on_the_way[2]["high_oxytocin"] == pytest.approx(0.25)
    assert on_the_way[4]["high_dopamine"] == 0
