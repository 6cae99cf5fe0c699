"""What a caller writes becomes messages of the contract."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai import CHEMICALS, SIGNALS, InvalidArgument, Signals, Stimulus, SustainedSignals
from emotional_ai.calls import engine
from emotional_ai.stimuli import Intensities, happenings, moment
from emotional_ai.v1 import engine_pb2 as pb


def test_the_signals_by_keyword_are_those_of_the_contract() -> None:
    assert tuple(Intensities.__annotations__) == SIGNALS
    assert tuple(f"SIGNAL_{name.upper()}" for name in SIGNALS) == tuple(pb.Signal.keys()[1:])
    assert tuple(f"CHEMICAL_{name.upper()}" for name in CHEMICALS) == tuple(pb.Chemical.keys()[1:])


def test_signals_by_name_come_after_those_given_whole() -> None:
    skip = Stimulus(skip_minutes=5)
    assert happenings([Signals(loss=0.1), skip], {"reward": 0.8}) == [
        Stimulus(event=Signals(loss=0.1)),
        skip,
        Stimulus(event=Signals(reward=0.8)),
    ]


def test_nothing_by_name_adds_no_empty_event() -> None:
    assert happenings([], {}) == []


def test_a_note_and_a_time_go_to_events_and_leave_whole_stimuli_alone() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    whole = Stimulus(skip_minutes=5, note="own")
    stamp = Timestamp(seconds=int(at.timestamp()), nanos=678_901_000)
    assert happenings([whole], {"reward": 0.8}, note="why", occurred_at=at) == [
        whole,
        Stimulus(event=Signals(reward=0.8), note="why", occurred_at=stamp),
    ]


def test_a_moment_is_the_same_in_every_time_zone_and_as_a_timestamp() -> None:
    here = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5)))
    stamp = moment("at", here)
    assert stamp == moment("at", here.astimezone(UTC))
    assert moment("at", stamp) is stamp
    assert moment("at", None) is None


def test_a_time_without_a_time_zone_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(InvalidArgument, match="start: has no time zone") as caught:
        moment("start", datetime(2026, 1, 2))
    assert caught.value.violations[0].field == "start"


@pytest.mark.parametrize("intensities", [{"fear": 1.0}, {"reward": 0.5, "Reward": 0.5}])
def test_a_name_that_is_no_signal_is_refused_with_those_that_are(intensities: dict[str, float]) -> None:
    with pytest.raises(InvalidArgument, match=", ".join(SIGNALS)) as caught:
        happenings([], intensities)
    assert caught.value.reason == "UNKNOWN_SIGNAL"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 2.0])
def test_values_are_left_to_the_service_to_judge(value: float) -> None:
    (stimulus,) = happenings([], {"reward": value})
    assert stimulus.event.reward == pytest.approx(value, nan_ok=True)


def test_held_signals_are_given_in_one_way_and_none_at_all_end_what_was_held() -> None:
    (held,) = engine.sustain("ada", threat=0.2, minutes=30).request.stimuli
    assert held == Stimulus(sustained=SustainedSignals(signals=Signals(threat=0.2), duration_minutes=30))
    (ended,) = engine.sustain("ada").request.stimuli
    assert ended == Stimulus(sustained=SustainedSignals(signals=Signals()))
    with pytest.raises(InvalidArgument, match="in one way"):
        engine.sustain("ada", Signals(threat=0.1), threat=0.2)
