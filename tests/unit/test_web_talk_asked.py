"""What a browser may ask of a conversation: anything, and what is not allowed is said in words."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.limits import GREATEST_SEED, LONGEST_TEXT
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai.v1.inference_pb2 import Sampling
from emotional_ai.web.page.talk.asked import again, asked

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
LEVELS = dict.fromkeys(CHEMICALS, 0.5)


def test_empty_fields_leave_seed_and_length_to_the_service() -> None:
    assert asked({"text": "Hello", "seed": "", "max_tokens": ""}).sampling == Sampling()
    assert asked({"text": "Hello", "seed": None}).sampling == Sampling()


def test_a_seed_is_taken_whole_and_nothing_of_the_text_is_changed() -> None:
    wanted = asked({"text": " <b>Hi</b>\n", "seed": str(GREATEST_SEED), "max_tokens": 7})
    assert wanted.text == " <b>Hi</b>\n"
    assert wanted.sampling == Sampling(seed=GREATEST_SEED, max_tokens=7)


@pytest.mark.parametrize("seed", ["-1", "1.5", "seven", str(GREATEST_SEED + 1), "1e3", "٣", "9" * 400, True, [1]])
def test_what_is_no_seed_is_refused_and_it_is_said_what_is_one(seed: object) -> None:
    with pytest.raises(ValueError, match="the seed is a whole number from 0 to 18446744073709551615"):
        asked({"text": "Hello", "seed": seed})


@pytest.mark.parametrize("most", ["0", "4097", "-3", "many"])
def test_most_tokens_are_1_to_4096(most: str) -> None:
    with pytest.raises(ValueError, match="most tokens is a whole number from 1 to 4096"):
        asked({"text": "Hello", "max_tokens": most})


@pytest.mark.parametrize("text", ["", " \n", None, 3, "x" * (LONGEST_TEXT + 1), "half \ud83d"])
def test_what_cannot_be_said_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"message|something to say"):
        asked({"text": text})


def test_another_state_is_an_adapters_or_ones_own() -> None:
    wanted = again({"number": 3, "name": "high_cortisol", "levels": LEVELS, "seed": "5", "max_tokens": None})
    assert (wanted.number, wanted.supposed.name) == (3, "high_cortisol")
    assert wanted.supposed.chemistry == Chemistry(dopamine=0.5, serotonin=0.5, cortisol=0.5, oxytocin=0.5)
    assert wanted.sampling == Sampling(seed=5)


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_a_level_outside_0_to_1_is_refused_by_name(level: object) -> None:
    with pytest.raises(ValueError, match="cortisol is a number from 0 to 1"):
        again({"number": 1, "name": "", "levels": {**LEVELS, "cortisol": level}})


def readable(read: Callable[[object], object], given: object) -> bool:
    """Whether what came is read; whatever else than ValueError reading it raises fails the test."""
    try:
        read(given)
    except ValueError:
        return False
    return True


@given(JSON.filter(lambda given: not isinstance(given, dict)))
def test_what_is_no_object_with_fields_is_refused(given: object) -> None:
    assert not readable(asked, given)
    assert not readable(again, given)


@given(st.dictionaries(st.sampled_from(["text", "number", "name", "levels", "seed", "max_tokens"]), JSON))
def test_whatever_its_fields_hold_is_read_or_refused(given: dict[str, object]) -> None:
    text = given.get("text")
    if readable(asked, given):
        assert isinstance(text, str)
        assert text.strip()
    if readable(again, given):
        assert isinstance(given.get("name"), str)
