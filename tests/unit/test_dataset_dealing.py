"""Levels dealt out to the replies of a cell."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_training.conditioning import ADAPTERS, BASELINE, Levels, relative_deviation
from emotional_ai_training.dataset.dealing import Opinion, dealt
from emotional_ai_training.dataset.rows import LOWS, MILDS, UNSHOWN
from emotional_ai_training.dataset.states import draw_levels

probabilities = st.floats(0, 1)
heard = st.lists(st.fixed_dictionaries(dict.fromkeys(ADAPTERS, probabilities)), min_size=1, max_size=12)
seeds = st.integers(0, 2**32)


def drawn(state: str, count: int, seed: int) -> list[Levels]:
    rng = random.Random(seed)
    return [draw_levels(state, rng) for _ in range(count)]


def doses(levels: list[Levels], chemical: int) -> list[float]:
    return [abs(one[chemical] - BASELINE[chemical]) for one in levels]


@given(state=st.sampled_from([*ADAPTERS, *LOWS, *MILDS, UNSHOWN]), opinions=heard, seed=seeds)
def test_each_reply_gets_levels_and_none_are_lost_or_made_up(state: str, opinions: list[Opinion], seed: int) -> None:
    levels = drawn(state, len(opinions), seed)
    assert sorted(dealt(state, levels, opinions)) == sorted(levels)


@given(chemical=st.integers(0, 3), kind=st.sampled_from([ADAPTERS, MILDS]), opinions=heard, seed=seeds)
def test_the_more_a_state_is_heard_the_stronger_it_is_told(
    chemical: int, kind: tuple[str, ...], opinions: list[Opinion], seed: int
) -> None:
    told = dealt(kind[chemical], drawn(kind[chemical], len(opinions), seed), opinions)
    strengths = [opinion[ADAPTERS[chemical]] for opinion in opinions]
    in_order = [dose for _, dose in sorted(zip(strengths, doses(told, chemical), strict=True))]
    assert in_order == sorted(in_order)


@given(chemical=st.integers(0, 3), opinions=heard, seed=seeds)
def test_the_less_the_contrary_is_heard_the_lower_a_low_state_is_told(
    chemical: int, opinions: list[Opinion], seed: int
) -> None:
    told = dealt(LOWS[chemical], drawn(LOWS[chemical], len(opinions), seed), opinions)
    contrary = [-opinion[ADAPTERS[chemical]] for opinion in opinions]
    in_order = [dose for _, dose in sorted(zip(contrary, doses(told, chemical), strict=True))]
    assert in_order == sorted(in_order)


def test_what_does_not_show_is_told_low_in_the_chemical_whose_state_was_heard_least() -> None:
    levels = drawn(UNSHOWN, 40, seed=1)
    rng = random.Random(2)
    opinions = [{state: rng.random() for state in ADAPTERS} for _ in levels]
    told = dealt(UNSHOWN, levels, opinions)
    for chemical, state in enumerate(ADAPTERS[:-1]):
        low = [min(range(4), key=lambda i: relative_deviation(one, BASELINE)[i]) == chemical for one in told]
        own = [opinion[state] for opinion, is_low in zip(opinions, low, strict=True) if is_low]
        others = [opinion[state] for opinion, is_low in zip(opinions, low, strict=True) if not is_low]
        assert sum(own) / len(own) < sum(others) / len(others) - 0.1


def test_of_what_does_not_show_the_farthest_level_goes_to_the_reply_it_is_heard_least_in() -> None:
    near, far, between = ((0.5 * (1 - share), *BASELINE[1:]) for share in (0.2, 0.6, 0.4))
    heard_least, heard_most, heard = (dict.fromkeys(ADAPTERS, p) for p in (0.1, 0.3, 0.2))
    assert dealt(UNSHOWN, [near, far, between], [heard_most, heard_least, heard]) == [near, far, between]
    assert dealt(UNSHOWN, [near, between, far], [heard_least, heard, heard_most]) == [far, between, near]


def test_levels_at_rest_stay_where_they_were_drawn() -> None:
    levels = drawn("balanced", 9, seed=3)
    assert dealt("balanced", levels, [dict.fromkeys(ADAPTERS, i / 9) for i in range(9)]) == levels


def test_as_many_levels_as_replies_are_needed() -> None:
    with pytest.raises(ValueError, match="2 levels for 1 replies"):
        dealt("balanced", drawn("balanced", 2, seed=1), [dict.fromkeys(ADAPTERS, 0.5)])
