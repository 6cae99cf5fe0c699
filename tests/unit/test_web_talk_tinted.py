"""Which voice said which part of a reply: properties of the parts, whatever comes in whatever pieces."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.conversation import Outcome, Reply, Tinted, Voice
from emotional_ai.web.conversation.tinted import NOTICEABLE, apart, weights

ADAPTERS = ("high_dopamine", "high_cortisol", "balanced")
ASKED = Voice(0, (("high_dopamine", 0.2), ("high_cortisol", 0.3), ("balanced", 0.5)), 0.8, 0.9)


@dataclass(frozen=True)
class Spoken:
    """Pieces of a reply in order, each with its tokens, and the changes told before the token they begin with."""

    pieces: tuple[tuple[str, int], ...]
    changes: tuple[Voice, ...]


@st.composite
def blends(draw: st.DrawFn) -> tuple[tuple[str, float], ...]:
    """Weights that sum to 1."""
    parts = draw(st.lists(st.integers(1, 100), min_size=3, max_size=3))
    return tuple((name, part / sum(parts)) for name, part in zip(ADAPTERS, parts, strict=True))


@st.composite
def spoken(draw: st.DrawFn) -> Spoken:
    pieces = draw(st.lists(st.tuples(st.text(min_size=1, max_size=6), st.integers(1, 3)), max_size=25))
    tokens = sum(count for _, count in pieces)
    at = sorted(draw(st.sets(st.integers(1, max(tokens, 1)), max_size=8)))
    return Spoken(tuple(pieces), tuple(Voice(token, draw(blends()), 0.8, 0.9) for token in at))


def streamed(reply: Spoken) -> Tinted:
    """The reply as it comes: each change just before the first piece that begins at its token or later."""
    tinted, changes, token = Tinted(ASKED), list(reply.changes), 0
    for text, count in reply.pieces:
        while changes and changes[0].token <= token:
            tinted.change(changes.pop(0))
        tinted.say(text, token)
        token += count
    return tinted


@given(spoken())
def test_the_parts_joined_are_what_was_said(reply: Spoken) -> None:
    assert streamed(reply).text == "".join(text for text, _ in reply.pieces)


@given(spoken())
def test_neighbouring_parts_are_of_voices_in_order_that_differ_enough_to_be_seen(reply: Spoken) -> None:
    tinted = streamed(reply)
    places = [part.voice for part in tinted.parts]
    assert places == sorted(set(places))
    shown = [voice.blend for voice in tinted.voices]
    assert all(apart(one, other) >= NOTICEABLE for one, other in pairwise(shown))


@given(spoken())
def test_every_piece_has_the_voice_last_noticed_before_its_first_token(reply: Spoken) -> None:
    tinted, token, at = streamed(reply), 0, 0
    owners = [part.voice for part in tinted.parts for _ in part.text]
    for text, count in reply.pieces:
        noticed = [place for place, voice in enumerate(tinted.voices) if voice.token <= token]
        assert set(owners[at : at + len(text)]) == {noticed[-1]}
        at, token = at + len(text), token + count
    assert at == len(owners)


@given(spoken())
def test_the_voice_shown_is_never_far_from_the_voice_in_force(reply: Spoken) -> None:
    tinted, shown = Tinted(ASKED), ASKED
    for change in reply.changes:
        if tinted.change(change):
            shown = change
        assert apart(shown.blend, change.blend) < NOTICEABLE
        assert tinted.voices[-1] is shown


@given(spoken())
def test_told_at_once_the_parts_are_those_told_bit_by_bit(reply: Spoken) -> None:
    at_once, token = Tinted(ASKED), 0
    for change in reply.changes:
        at_once.change(change)
    for text, count in reply.pieces:
        at_once.say(text, token)
        token += count
    assert at_once.parts == streamed(reply).parts


@given(blends(), blends(), blends())
def test_how_far_blends_are_apart_is_a_distance(
    one: tuple[tuple[str, float], ...], other: tuple[tuple[str, float], ...], third: tuple[tuple[str, float], ...]
) -> None:
    assert apart(one, one) == 0
    assert apart(one, other) == apart(other, one)
    assert apart(one, third) <= apart(one, other) + apart(other, third) + 1e-12
    assert 0 <= apart(one, other) <= 1


def test_an_adapter_that_only_one_of_two_blends_names_counts_with_its_whole_weight() -> None:
    assert apart((("a", 1.0),), (("b", 1.0),)) == 1.0
    assert apart((), (("b", 1.0),)) == 0.5


def test_weights_a_layer_count_by_their_mean() -> None:
    blend = [pb.AdapterWeight(adapter="a", layer_weights=[0.25, 0.75]), pb.AdapterWeight(adapter="b", weight=0.5)]
    assert weights(blend) == (("a", 0.5), ("b", 0.5))


def test_a_finished_reply_has_the_voices_it_was_really_spoken_with() -> None:
    def change(token: int, name: str) -> pb.BlendChange:
        return pb.BlendChange(token_index=token, blend=[pb.AdapterWeight(adapter=name, weight=1)], temperature=1)

    reply = Reply("1")
    reply.begin(pb.ReplyStarted(expression=pb.Expression(blend=[pb.AdapterWeight(adapter="asked", weight=1)])))
    reply.say(pb.ReplyText(text="one ", token_index=0, token_count=2))
    assert reply.change(change(2, "joy"))
    reply.say(pb.ReplyText(text="two", token_index=2, token_count=1))
    applied = pb.AppliedExpression(changes=[change(0, "nearest"), change(2, "joy")])
    reply.finish(pb.ReplyFinished(applied=applied))
    reply.end(Outcome.FINISHED)
    assert reply.tinted is not None
    assert [(voice.blend[0][0], voice.token) for voice in reply.tinted.voices] == [("nearest", 0), ("joy", 2)]
    assert [(part.voice, part.text) for part in reply.tinted.parts] == [(0, "one "), (1, "two")]
    assert reply.tokens == 3
