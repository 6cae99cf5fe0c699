"""What the panel `why` makes of an explanation: parts that add up, spans, rows, and lives side by side."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai import CHEMICALS, SIGNALS, InvalidArgument
from emotional_ai.causes import HOMEOSTASIS, RESETS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page import colours
from emotional_ai.web.page.why import happened, otherwise, spans
from emotional_ai.web.page.why.explained import apportioned, explained, level, look, signed, stacked, thousandths

CAUSES = (*SIGNALS, HOMEOSTASIS, RESETS)
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

moves = st.floats(-2, 2, allow_nan=False)
levels = st.floats(0, 1, allow_nan=False)


def at(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(BEGAN + timedelta(seconds=seconds))
    return stamp


def vector(draw: st.DrawFn) -> pb.ChemicalVector:
    return pb.ChemicalVector(**{name: draw(moves) for name in CHEMICALS})


def thousandths_of(shown: str) -> int:
    """A number as the page writes it."""
    return round(float(shown.replace("−", "-")) * 1000)


@st.composite
def explanations(draw: st.DrawFn) -> pb.ExplainResponse:
    """Explanations whose parts add up, as the service's do: what is left over is homeostasis."""
    before = {name: draw(levels) for name in CHEMICALS}
    after = {name: draw(levels) for name in CHEMICALS}
    kinds = draw(st.lists(st.integers(1, len(SIGNALS)), unique=True, max_size=12))
    signals = [
        pb.SignalContribution(signal=pb.Signal.ValueType(kind), events=vector(draw), sustained=vector(draw))
        for kind in kinds
    ]
    resets = vector(draw) if draw(st.booleans()) else pb.ChemicalVector()
    rest = {
        name: after[name]
        - before[name]
        - sum(getattr(one.events, name) + getattr(one.sustained, name) for one in signals)
        - getattr(resets, name)
        for name in CHEMICALS
    }
    return pb.ExplainResponse(
        before=pb.EmotionalState(chemistry=pb.Chemistry(**before), time=at(0), label=pb.EMOTION_LABEL_NEUTRAL),
        after=pb.EmotionalState(
            chemistry=pb.Chemistry(**after), time=at(60), label=pb.EMOTION_LABEL_JOY, simulated_minutes=10
        ),
        signals=signals,
        homeostasis=pb.ChemicalVector(**rest),
        resets=resets,
    )


# ---- explanations


@given(explanations())
def test_the_bars_of_a_chemical_add_up_to_its_change(told: pb.ExplainResponse) -> None:
    for change in explained(told)["changes"]:
        up = sum(one["high"] - one["low"] for one in change["segments"] if one["high"] > 0)
        down = sum(one["high"] - one["low"] for one in change["segments"] if one["high"] <= 0)
        assert math.isclose(up - down, change["moved"], abs_tol=1e-9)


@given(explanations())
def test_the_numbers_that_are_shown_add_up_to_the_last_digit(told: pb.ExplainResponse) -> None:
    shown = explained(told)
    for column, change in enumerate(shown["changes"]):
        parts = sum(thousandths_of(part["shown"][column]) for part in shown["parts"])
        before, after = (thousandths_of(change[end]) for end in ("before", "after"))
        assert before + parts == after
        assert thousandths_of(change["change"]) == parts


@given(st.lists(moves, min_size=1, max_size=30))
def test_no_number_is_off_by_more_than_a_digit(values: list[float]) -> None:
    shown = apportioned(values, round(sum(values) * 1000))
    assert sum(shown) == round(sum(values) * 1000)
    for value, number in zip(values, shown, strict=True):
        assert abs(number - value * 1000) < 1 + 1e-6


@given(st.dictionaries(st.sampled_from(CAUSES), moves.filter(lambda by: abs(by) > 1e-6), min_size=1))
def test_pieces_of_a_bar_lie_end_to_end_on_both_sides_of_nothing(by: dict[str, float]) -> None:
    segments = stacked(by)
    assert {one["part"] for one in segments} == set(by)
    for side in ([one for one in segments if one["high"] > 0], [one for one in segments if one["low"] < 0]):
        edges = sorted({one["low"] for one in side} | {one["high"] for one in side})
        assert len(edges) == len(side) + bool(side)
        assert 0 in edges or not side


def test_an_explanation_says_when_how_long_and_from_what_to_what() -> None:
    told = pb.ExplainResponse(
        before=pb.EmotionalState(time=at(0), label=pb.EMOTION_LABEL_NEUTRAL, simulated_minutes=5),
        after=pb.EmotionalState(
            time=at(60), label=pb.EMOTION_LABEL_JOY, simulated_minutes=15, chemistry=pb.Chemistry(dopamine=0.25)
        ),
        signals=[pb.SignalContribution(signal=pb.SIGNAL_SOCIAL_WARMTH, sustained=pb.ChemicalVector(dopamine=0.25))],
    )
    shown = explained(told)
    assert (shown["was"], shown["became"], shown["minutes"]) == ("neutral", "joy", 10)
    assert shown["ended"] - shown["began"] == 60_000
    warmth, homeostasis = shown["parts"]
    assert (warmth["name"], warmth["texture"].split()) == ("social warmth (sustained)", ["held"])
    assert warmth["shown"] == ["+0.250", "0", "0", "0"]
    assert (homeostasis["colour"], homeostasis["texture"]) == (colours.BY_ITSELF, "")


def test_no_two_causes_look_alike_and_none_has_the_colour_of_a_chemical() -> None:
    assert len({look(cause) for cause in CAUSES}) == len(CAUSES)
    assert not {look(cause)[0] for cause in CAUSES} & {*colours.CHEMICALS.values(), *colours.ON_DARK.values()}


def test_what_is_next_to_nothing_reads_as_nothing() -> None:
    assert signed(0) == "0"
    assert signed(-3) == "−0.003"
    assert thousandths(0.12349, 0.12351) == 1


@given(levels | st.integers(0, 2000).map(lambda half: half / 2000), levels)
def test_a_difference_reads_as_the_levels_it_is_between(before: float, after: float) -> None:
    shown = [round(float(level(one)) * 1000) for one in (before, after)]
    assert thousandths(before, after) == shown[1] - shown[0]


# ---- spans


def session(age_seconds: float) -> pb.Session:
    return pb.Session(created_at=at(0), state=pb.EmotionalState(time=at(age_seconds)))


def test_the_last_minutes_of_a_younger_session_begin_as_far_back_as_is_known() -> None:
    assert spans.last_minutes(session(600), 5).start == BEGAN + timedelta(minutes=5)
    assert spans.last_minutes(session(600), 50).start is None
    assert spans.last_minutes(session(600), 1e30).start is None


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_minutes_to_look_back_are_above_nothing(minutes: float) -> None:
    with pytest.raises(InvalidArgument, match="must be above 0"):
        spans.last_minutes(session(600), minutes)


def test_a_span_lies_between_two_events() -> None:
    entries = [pb.LogEntry(sequence=number, time=at(number)) for number in (4, 5, 6)]
    assert spans.between(entries, 4, 6) == spans.Span(at(4), at(6))
    with pytest.raises(InvalidArgument, match="4 to 6; got 7"):
        spans.between(entries, 4, 7)
    with pytest.raises(InvalidArgument, match="must not be before 6"):
        spans.between(entries, 6, 4)
    with pytest.raises(InvalidArgument, match="none"):
        spans.between([], 1, 2)


# ---- rows


def test_a_row_tells_what_an_event_moved_and_keeps_its_note_as_text() -> None:
    entries = [
        pb.LogEntry(sequence=1, time=at(0), created=pb.SessionCreated()),
        pb.LogEntry(sequence=2, time=at(1), stimulus=pb.Stimulus(event=pb.Signals(praise=0.7), note="<script>")),
        pb.LogEntry(sequence=3, time=at(2), reset=pb.SessionReset()),
        pb.LogEntry(sequence=4, time=at(3), configured=pb.SessionConfig()),
    ]
    praised = pb.SignalContribution(
        signal=pb.SIGNAL_PRAISE, events=pb.ChemicalVector(dopamine=0.08, cortisol=-0.02, oxytocin=0.0001)
    )
    shown = happened.rows(entries, [pb.EntryContribution(sequence=2, signals=[praised, praised])])
    assert [row["sequence"] for row in shown] == [1, 2, 3, 4]
    assert [bool(row["fixed"]) for row in shown] == [True, False, True, True]
    assert shown[1]["note"] == "<script>"
    assert shown[1]["moved"] == "dopamine +0.160, cortisol −0.040"
    assert shown[0]["moved"] == ""


# ---- what would have been


def test_a_life_is_shown_from_a_little_before_what_is_thought_away_or_from_as_far_back_as_is_known() -> None:
    assert otherwise.beginning(session(1000), BEGAN + timedelta(seconds=500)) == BEGAN + timedelta(seconds=460)
    assert otherwise.beginning(session(1000), BEGAN + timedelta(seconds=999)) == BEGAN + timedelta(seconds=997)
    assert otherwise.beginning(session(1000), BEGAN + timedelta(seconds=1)) is None


def test_two_lives_differ_by_what_their_numbers_say() -> None:
    def states(*dopamine: float) -> list[pb.EmotionalState]:
        return [
            pb.EmotionalState(time=at(index), chemistry=pb.Chemistry(dopamine=level), label=pb.EMOTION_LABEL_CALM)
            for index, level in enumerate(dopamine)
        ]

    told = pb.ReplayCounterfactualResponse(actual=states(0.5, 0.68351), counterfactual=states(0.5, 0.60349))
    shown = otherwise.compared(told)
    dopamine, *_ = shown["differences"]
    assert (dopamine["is_now"], dopamine["would_be"], dopamine["by"]) == ("0.684", "0.603", "−0.081")
    first, *_ = shown["curves"]["pictures"]
    assert [line["values"] for line in first["lines"]] == [[0.5, 0.6835], [0.5, 0.6035]]
    assert first["lines"][0]["dash"] != first["lines"][1]["dash"]
    assert shown["is_now"] == shown["would_be"] == "calm"
