"""What of a session is worth telling a page, how often it is asked for, and how it is put into words and numbers."""

import json
from itertools import pairwise

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai import CHEMICALS, SIGNALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import inference_pb2
from emotional_ai.web.hub import Moment
from emotional_ai.web.hub.moment import LONGEST_MS, NOTICEABLE, SHORTEST_MS, interval_ms, noticeable
from emotional_ai.web.page import colours
from emotional_ai.web.page.live import past, points

LEVELS = st.floats(0, 1)
HALF_LIVES = st.floats(0.1, 100_000)


def state(
    level: float = 0.5, *, version: int = 1, label: pb.EmotionLabel.ValueType = pb.EMOTION_LABEL_JOY
) -> pb.EmotionalState:
    chemistry = pb.Chemistry(dopamine=level, serotonin=0.6, cortisol=0.3, oxytocin=0.5)
    return pb.EmotionalState(session_id="ada", chemistry=chemistry, version=version, label=label)


def config(time_scale: float, half_life: float) -> pb.SessionConfig:
    slow = pb.ChemicalVector(**dict.fromkeys(CHEMICALS, 2 * half_life))
    slow.cortisol = half_life
    return pb.SessionConfig(dynamics=pb.DynamicsConfig(time_scale=time_scale, half_life_minutes=slow))


@given(one=LEVELS, other=LEVELS)
def test_a_move_is_worth_telling_if_it_can_be_seen(one: float, other: float) -> None:
    assert noticeable(state(one), state(other)) == (abs(one - other) >= NOTICEABLE)


def test_what_happened_and_another_label_are_worth_telling_without_a_move() -> None:
    assert noticeable(state(), state(version=2))
    assert noticeable(state(), state(label=pb.EMOTION_LABEL_CALM))
    assert not noticeable(state(), state())


@given(time_scale=st.floats(0.001, 10_000), half_life=HALF_LIVES)
def test_a_session_is_asked_for_often_enough_to_look_smooth_and_no_more(time_scale: float, half_life: float) -> None:
    pace = interval_ms(config(time_scale, half_life))
    assert SHORTEST_MS <= pace <= LONGEST_MS
    wall_ms = half_life / time_scale * 60_000
    assert pace <= max(wall_ms / 20, SHORTEST_MS)


@given(half_life=HALF_LIVES)
def test_a_faster_session_is_asked_for_no_less_often(half_life: float) -> None:
    paces = [interval_ms(config(scale, half_life)) for scale in (1, 10, 60, 600, 10_000)]
    assert paces == sorted(paces, reverse=True)


def test_a_frozen_session_is_asked_for_seldom() -> None:
    assert interval_ms(config(0, 10)) == LONGEST_MS


def test_a_moment_is_small_numbers_and_words() -> None:
    expression = inference_pb2.Expression(
        temperature=0.812345,
        top_p=0.9,
        blend=[inference_pb2.AdapterWeight(adapter="high_dopamine", weight=0.25)],
        label_probabilities=[
            inference_pb2.LabelProbability(label=pb.EMOTION_LABEL_CALM, probability=0.3),
            inference_pb2.LabelProbability(label=pb.EMOTION_LABEL_JOY, probability=0.6),
        ],
    )
    told = state(0.123456789)
    told.time.FromMilliseconds(1_700_000_000_123)
    point = points.point(Moment(told, expression, pb.SessionConfig()))
    assert point["time"] == 1_700_000_000_123
    assert point["levels"]["dopamine"] == 0.1235
    assert point["label"] == "joy"
    assert point["confidence"] == 0.6
    assert point["blend"] == {"high_dopamine": 0.25}
    assert point["temperature"] == 0.8123
    assert len(json.dumps(point)) < 400


def event(**signals: float) -> pb.LogEntry:
    return pb.LogEntry(sequence=2, stimulus=pb.Stimulus(event=pb.Signals(**signals), note="<b>so</b>"))


@pytest.mark.parametrize(
    ("entry", "title"),
    [
        (event(social_warmth=0.5, praise=1.0), "social warmth 0.50, praise 1.00"),
        (event(), "nothing"),
        (pb.LogEntry(stimulus=pb.Stimulus(sustained={"signals": {"threat": 0.25}})), "held: threat 0.25"),
        (pb.LogEntry(stimulus=pb.Stimulus(skip_minutes=90)), "90 minutes passed at once"),
        (pb.LogEntry(configured=pb.SessionConfig()), "personality changed"),
        (pb.LogEntry(reset=pb.SessionReset()), "reset"),
        (pb.LogEntry(created=pb.SessionCreated()), "the session began"),
    ],
)
def test_an_entry_of_the_log_is_told_in_words(entry: pb.LogEntry, title: str) -> None:
    assert points.title(entry) == title


def test_a_mark_says_what_each_signal_moved_and_keeps_a_note_as_it_is() -> None:
    moved = pb.ChemicalVector(dopamine=0.2, cortisol=-0.1, oxytocin=0.0001)
    did = pb.EntryContribution(sequence=2, signals=[pb.SignalContribution(signal=pb.SIGNAL_PRAISE, events=moved)])
    (mark,) = points.marks([event(praise=1.0)], pb.ExplainResponse(entries=[did]))
    assert mark["moved"] == {"praise": {"dopamine": 0.2, "cortisol": -0.1}}
    assert mark["note"] == "<b>so</b>"


def test_a_mark_of_which_nothing_is_explained_moved_nothing() -> None:
    (mark,) = points.marks([event(praise=1.0)], pb.ExplainResponse())
    assert mark["moved"] == {}


def test_the_beginning_of_a_session_is_no_mark() -> None:
    assert points.marks([pb.LogEntry(sequence=1, created=pb.SessionCreated())], pb.ExplainResponse()) == []


def test_milliseconds_are_those_of_a_browser() -> None:
    assert points.milliseconds(Timestamp(seconds=1, nanos=500_000)) == 1000.5


def test_every_chemical_has_a_colour_and_a_pattern_of_its_own() -> None:
    for by in (colours.CHEMICALS, colours.ON_DARK, colours.DASHES):
        assert set(by) == set(CHEMICALS)
        assert len(set(by.values())) == len(CHEMICALS)
    assert len(set(colours.ADAPTERS)) == len(colours.ADAPTERS)
    assert len(SIGNALS) == 12


def felt(minute: float, dopamine: float) -> pb.EmotionalState:
    chemistry = pb.Chemistry(dopamine=dopamine, serotonin=0.5, cortisol=0.5, oxytocin=0.5)
    return pb.EmotionalState(time=Timestamp(seconds=round(60 * minute)), chemistry=chemistry)


def test_of_a_past_that_rests_jumps_and_falls_the_states_are_taken_that_show_it() -> None:
    levels = [0.5] * 200 + [0.9 * 0.98**step for step in range(200)]
    samples = [felt(minute, level) for minute, level in enumerate(levels)]
    chosen = past.apart(samples)
    minutes = [one.time.seconds // 60 for one in chosen]
    assert {0, 199, 200, 399} <= set(minutes)
    assert not [minute for minute in minutes if 0 < minute < 199]
    assert len(chosen) <= past.SPOKEN
    for one, other in pairwise(minutes):
        for minute in range(one, other):
            share = (minute - one) / (other - one)
            drawn = levels[one] + share * (levels[other] - levels[one])
            assert abs(drawn - levels[minute]) < past.ALIKE


def test_a_past_at_rest_is_asked_for_at_its_ends_alone() -> None:
    assert len(past.apart([felt(minute, 0.5) for minute in range(400)])) == 2
    assert len(past.apart([felt(0, 0.5)])) == 1
