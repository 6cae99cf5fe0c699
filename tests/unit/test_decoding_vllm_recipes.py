"""A blend as contents and rounded weights: its name, its rank, how far it is from another."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_adapters import DIGEST, manifest

from emotional_ai_service.decoding import BlendWeight, UnknownAdapter
from emotional_ai_service.decoding.errors import AdapterRefused, CannotBlend, WrongLayers
from emotional_ai_service.decoding.messages import AdapterVersion, Blend
from emotional_ai_service.decoding.vllm.recipes import Recipe, recipe_for
from emotional_ai_training.adapters import AdapterDamaged, Listing, Manifest

LORAS = Path("/loras")
ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64


def listed(*adapters: Manifest, damaged: tuple[AdapterDamaged, ...] = ()) -> Listing:
    return Listing(adapters or (manifest("one", digest=ONE), manifest("two", digest=TWO, rank=3)), damaged)


def recipe(*blend: BlendWeight, listing: Listing | None = None, base: str = DIGEST) -> Recipe:
    return recipe_for(blend, listing or listed(), LORAS, base, layers=2)


weights = st.floats(-2, 2)


@given(weights, weights)
def test_the_name_is_that_of_the_numbers_computed_with(first: float, second: float) -> None:
    made = recipe(BlendWeight("one", first), BlendWeight("two", second))
    assert made == recipe(*made.blend)
    assert made.distance(recipe(*made.blend)) == 0
    other = recipe(BlendWeight("one", first + 0.002), BlendWeight("two", second))
    assert made.name != other.name


@given(st.tuples(weights, weights), st.tuples(weights, weights))
def test_the_distance_is_the_greatest_difference_of_a_weight(
    ours: tuple[float, float], theirs: tuple[float, float]
) -> None:
    one, other = (recipe(BlendWeight("one", pair[0]), BlendWeight("two", pair[1])) for pair in (ours, theirs))
    wanted = max(abs(round(a * 1000) - round(b * 1000)) for a, b in zip(ours, theirs, strict=True))
    assert one.distance(other) == other.distance(one) == wanted


def test_parts_stand_in_the_fixed_order_and_weights_of_nothing_take_no_part() -> None:
    made = recipe(BlendWeight("two", -0.25), BlendWeight("one", 1.0))
    assert [part.adapter for part in made.parts] == ["one", "two"]
    assert made.rank == 5
    assert made.adapters == (AdapterVersion("one", ONE), AdapterVersion("two", TWO))
    assert made.name.endswith("-1000_-250")
    assert recipe(BlendWeight("two", 0.0004), BlendWeight("one", 1.0)).blend == (BlendWeight("one", 1.0),)
    assert recipe(BlendWeight("one", 0.0)).parts == ()


@pytest.mark.parametrize(
    "other",
    [
        listed(manifest("one", digest=THREE)),
        listed(manifest("one", digest=ONE, scale=1.5)),
    ],
)
def test_another_content_or_scale_is_another_name_and_as_far_as_its_weight(other: Listing) -> None:
    ours, theirs = recipe(BlendWeight("one", 0.5)), recipe(BlendWeight("one", 0.5), listing=other)
    assert ours.name != theirs.name
    assert ours.distance(theirs) == 500


def test_another_base_model_is_another_name() -> None:
    elsewhere = listed(manifest("one", digest=ONE, base_model_digest=THREE))
    assert recipe(BlendWeight("one", 0.5)).name != recipe(BlendWeight("one", 0.5), listing=elsewhere, base=THREE).name


def test_the_calibrated_scale_is_in_the_factor_and_not_in_the_weight_reported() -> None:
    made = recipe(BlendWeight("one", 0.5))
    assert made.parts[0].factors == (1.0,)  # at the scale of 2
    assert made.blend == (BlendWeight("one", 0.5),)


def test_weights_per_layer_are_compared_layer_by_layer() -> None:
    layered = recipe(BlendWeight("one", 0, (0.1, 0.4)))
    assert layered.parts[0].factors == (0.2, 0.8)
    assert layered.blend == (BlendWeight("one", 0, (0.1, 0.4)),)
    assert layered.distance(recipe(BlendWeight("one", 0.4))) == 300
    assert recipe(BlendWeight("one", 0.4)).distance(layered) == 300
    assert layered.distance(recipe(BlendWeight("one", 0, (0.1, 0.9)))) == 500
    assert recipe(BlendWeight("one", 0, (0.3, 0.3))) == recipe(BlendWeight("one", 0.3))


def test_a_name_stays_short_however_many_weights() -> None:
    def long(last: float) -> Recipe:
        blend: Blend = (BlendWeight("one", 0, (*(layer / 100 for layer in range(79)), last)),)
        return recipe_for(blend, listed(), LORAS, DIGEST, layers=80)

    assert len(long(0.1).name) <= 128
    assert long(0.1).name != long(0.2).name


def test_what_cannot_be_blended_is_refused_by_name() -> None:
    broken = AdapterDamaged(LORAS / "broken", "manifest.json", "is missing")
    listing = listed(
        manifest("one", digest=ONE), manifest("elsewhere", base_model_digest=THREE, digest=TWO), damaged=(broken,)
    )
    with pytest.raises(UnknownAdapter, match="nobody"):
        recipe(BlendWeight("nobody", 0.0), listing=listing)
    with pytest.raises(AdapterRefused, match=r"manifest\.json"):
        recipe(BlendWeight("broken", 1.0), listing=listing)
    with pytest.raises(AdapterRefused, match="elsewhere"):
        recipe(BlendWeight("elsewhere", 1.0), listing=listing)
    with pytest.raises(WrongLayers):
        recipe(BlendWeight("one", 0, (1.0, 1.0, 1.0)), listing=listing)
    for too_large in (BlendWeight("one", 1e300), BlendWeight("one", 0, (1.0, -2e6))):
        with pytest.raises(CannotBlend, match="weights up to 1e"):
            recipe(too_large, listing=listing)
    with pytest.raises(CannotBlend, match="twice"):
        recipe(BlendWeight("one", 1.0), BlendWeight("one", 0.5), listing=listing)
