"""Who speaks under a blend on a Tinker server, and what is refused."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinker_speaking import asked

from emotional_ai_service.decoding import UnknownAdapter
from emotional_ai_service.decoding.errors import AdapterRefused, CannotBlend, CannotFollow
from emotional_ai_service.decoding.messages import (
    DEFAULT_MIN_P,
    DEFAULT_REPETITION_PENALTY,
    BlendMode,
    BlendWeight,
    GenerationRequest,
    Sampling,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.tinker.choosing import Speakers, drawn_by_weight
from emotional_ai_service.decoding.tinker.planning import Plan, planned

KNOWN = {name: f"tinker://run:train:0/sampler_weights/{name}" for name in ("a", "b", "c")}
WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.001, 10), min_size=1)


def plan(request: GenerationRequest, mode: BlendMode = BlendMode.NEAREST, speakers: Speakers | None = None) -> Plan:
    return planned(request, KNOWN, mode, 4, speakers or Speakers(0.1, 8), Random(request.seed))


@given(WEIGHTS)
def test_the_nearest_adapter_has_the_greatest_weight(weights: dict[str, float]) -> None:
    chosen = Speakers(0.1, 8).nearest("", weights)
    assert chosen is not None
    assert weights[chosen] == max(weights.values())


def test_a_session_keeps_its_speaker_until_another_leads_by_the_margin() -> None:
    speakers = Speakers(0.1, 8)
    speakers.spoke("s", "a")
    assert speakers.nearest("s", {"a": 0.5, "b": 0.59}) == "a"
    assert speakers.nearest("s", {"a": 0.5, "b": 0.61}) == "b"
    assert speakers.nearest("other", {"a": 0.5, "b": 0.59}) == "b"


@given(WEIGHTS, st.sampled_from("abcdef"), st.floats(0, 2))
def test_whoever_speaks_trails_the_greatest_by_less_than_the_margin(
    weights: dict[str, float], last: str, margin: float
) -> None:
    speakers = Speakers(margin, 8)
    speakers.spoke("s", last)
    chosen = speakers.nearest("s", weights)
    assert chosen is not None
    behind = max(weights.values()) - weights[chosen]
    assert behind == 0 or (chosen == last and behind < margin)


@pytest.mark.parametrize("weights", [{"b": 0.05}, {"a": -0.02, "b": 0.05}])
def test_a_speaker_that_left_the_blend_does_not_stay(weights: dict[str, float]) -> None:
    speakers = Speakers(1.0, 8)
    speakers.spoke("s", "a")
    assert speakers.nearest("s", weights) == "b"


def test_the_sessions_that_spoke_last_are_remembered_and_no_more() -> None:
    speakers = Speakers(1.0, 2)
    for session in ("first", "second", "first", "third"):
        speakers.spoke(session, "a")
    speakers.spoke("", "a")
    assert len(speakers) == 2
    blend = {"a": 0.1, "b": 0.2}
    assert [speakers.nearest(session, blend) for session in ("first", "second", "third", "")] == ["a", "b", "a", "b"]


@given(WEIGHTS, st.integers(0, 2**63))
def test_a_mixture_draws_from_the_blend_and_repeats_by_seed(weights: dict[str, float], seed: int) -> None:
    drawn = drawn_by_weight(weights, Random(seed))
    assert drawn in weights
    assert drawn_by_weight(weights, Random(seed)) == drawn


def test_a_mixture_draws_in_proportion_to_the_weights_whatever_their_sum() -> None:
    counts = Counter(
        plan(asked(seed, ("a", 2.0), ("b", 1.0), ("c", 1.0)), BlendMode.MIXTURE).speaker for seed in range(8000)
    )
    assert {name: count / 8000 for name, count in counts.items()} == pytest.approx(
        {"a": 0.5, "b": 0.25, "c": 0.25}, abs=0.02
    )


@pytest.mark.parametrize("mode", [BlendMode.NEAREST, BlendMode.MIXTURE, BlendMode.RESCORED])
@pytest.mark.parametrize("blend", [(), (("a", 0.0), ("b", 0.0))])
def test_a_blend_of_nothing_is_spoken_by_the_base_model(mode: BlendMode, blend: tuple[tuple[str, float], ...]) -> None:
    found = plan(asked(1, *blend), mode)
    assert (found.mode, found.speaker, found.blend, found.drafts) == (BlendMode.BASE, "", (), 1)
    assert found.adapters(KNOWN) == ()


def test_each_mode_says_what_was_really_spoken_with() -> None:
    request = asked(1, ("a", 0.7), ("b", 0.0), ("c", -0.2))
    nearest, rescored = plan(request), plan(request, BlendMode.RESCORED)
    assert (nearest.mode, nearest.blend, nearest.drafts) == (BlendMode.NEAREST, (BlendWeight("a", 1.0),), 1)
    assert [one.adapter for one in nearest.adapters(KNOWN)] == ["a"]
    assert (rescored.mode, rescored.speaker, rescored.drafts) == (BlendMode.RESCORED, "a", 4)
    assert rescored.blend == (BlendWeight("a", 0.7), BlendWeight("c", -0.2))
    assert [one.adapter for one in rescored.adapters(KNOWN)] == ["a", "c"]


def test_digests_tell_checkpoints_apart() -> None:
    (one,), (other,) = (plan(asked(1, (name, 1.0))).adapters(KNOWN) for name in "ab")
    assert len(one.digest) == 64
    assert one.digest != other.digest


def test_drafts_come_from_the_base_model_where_every_adapter_is_turned_round() -> None:
    found = plan(asked(1, ("a", -0.5)), BlendMode.RESCORED)
    assert (found.speaker, found.exponents) == ("", {"a": -0.5, "": 1.5})


def test_greedy_replies_are_not_resampled_and_say_so() -> None:
    request = asked(1, ("a", 0.4), ("b", 0.6), sampling=Sampling(temperature=0.0))
    found = plan(request, BlendMode.RESCORED)
    assert (found.mode, found.speaker, found.drafts) == (BlendMode.NEAREST, "b", 1)


def test_a_schedule_from_the_first_token_on_is_the_blend() -> None:
    voice = Voice((BlendWeight("c", 1.0),), 0.5, 0.9)
    assert plan(asked(1, ("a", 1.0), schedule=(VoiceChange(0, voice),))).speaker == "c"


@pytest.mark.parametrize(
    ("blend", "mode", "words"),
    [
        ((("a", -0.5),), BlendMode.NEAREST, "none is above 0"),
        ((("a", 0.5), ("b", -0.1)), BlendMode.MIXTURE, "'b' has a negative one"),
    ],
)
def test_what_a_mode_cannot_do_is_refused_in_words(
    blend: tuple[tuple[str, float], ...], mode: BlendMode, words: str
) -> None:
    with pytest.raises(CannotBlend, match=words):
        plan(asked(1, *blend), mode)


@pytest.mark.parametrize("mode", [BlendMode.NEAREST, BlendMode.MIXTURE, BlendMode.RESCORED])
def test_weights_per_layer_a_moving_blend_and_unknown_adapters_are_refused_in_every_mode(mode: BlendMode) -> None:
    with pytest.raises(CannotBlend, match="all layers alike"):
        plan(asked(1, blend=(BlendWeight("a", 1.0, (1.0, 0.5)),)), mode)
    with pytest.raises(CannotFollow):
        plan(asked(1, schedule=(VoiceChange(3, Voice((), 1.0, 1.0)),)), mode)
    with pytest.raises(UnknownAdapter, match="'d'"):
        plan(asked(1, ("a", 1.0), ("d", 0.0)), mode)


def test_a_repetition_penalty_that_was_asked_for_is_refused_and_the_default_is_not() -> None:
    with pytest.raises(CannotBlend, match="no repetition penalty"):
        plan(asked(sampling=Sampling(repetition_penalty=1.3)))
    for given_or_not in (1.0, DEFAULT_REPETITION_PENALTY):
        assert plan(asked(sampling=Sampling(repetition_penalty=given_or_not))).mode is BlendMode.BASE


def test_a_min_p_that_was_asked_for_is_refused_and_the_default_is_not() -> None:
    with pytest.raises(CannotBlend, match="no min_p; leave it out, or send 0"):
        plan(asked(sampling=Sampling(min_p=0.05)))
    for given_or_not in (0.0, DEFAULT_MIN_P):
        assert plan(asked(sampling=Sampling(min_p=given_or_not))).mode is BlendMode.BASE


def test_an_adapter_the_server_lost_is_refused_only_where_it_takes_part() -> None:
    lost = {"b": "it expired"}
    plan(asked(1, ("a", 1.0), ("b", 0.5))).check(lost)
    with pytest.raises(AdapterRefused, match="it expired"):
        plan(asked(1, ("a", 1.0), ("b", 0.5)), BlendMode.RESCORED).check(lost)
