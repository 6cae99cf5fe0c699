"""History, explanation and the life that might have been are what the pure core computes from the exported log."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from lives import apart, numbers, replayed, same
from loopback import service
from wire_client import event

from emotional_ai import Chemistry, Client, SessionConfig, Stimulus
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.names import CHEMICALS
from emotional_ai_service.core.replay import explain, replay, sample, spread
from emotional_ai_service.wire import entry_from

START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000
RICH = SessionConfig(
    dynamics=pb.DynamicsConfig(mood=pb.MoodConfig(), circadian=pb.CircadianConfig(), habituation=pb.HabituationConfig())
)
CALM = SessionConfig(
    dynamics=pb.DynamicsConfig(baseline=Chemistry(dopamine=0.4, serotonin=0.7, cortisol=0.2, oxytocin=0.6))
)


@dataclass(slots=True)
class Clock:
    """Wall time that stands until a test moves it."""

    now_us: int = START_US

    def __call__(self) -> int:
        return self.now_us

    def pass_minutes(self, minutes: float) -> None:
        self.now_us += round(minutes * MINUTE_US)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def client(clock: Clock) -> Iterator[Client]:
    with service(clock=clock) as address, Client(address) as client:
        live(client, clock)
        yield client


def live(client: Client, clock: Clock) -> None:
    """An hour and more with everything that can be in a log."""
    client.create_session(
        "ada", config=RICH, initial=Chemistry(dopamine=0.2, serotonin=0.5, cortisol=0.6, oxytocin=0.4)
    )
    clock.pass_minutes(3)
    client.apply("ada", praise=0.8, social_warmth=0.7, note="thanked")
    clock.pass_minutes(1)
    client.sustain("ada", threat=0.3, uncertainty=0.2, minutes=40)
    clock.pass_minutes(6)
    client.apply_stimuli("ada", [event(praise=0.8), Stimulus(skip_minutes=30), event(loss=0.5, conflict=0.4)])
    clock.pass_minutes(10)
    client.update_session("ada", CALM)
    clock.pass_minutes(20)
    client.apply("ada", boredom=0.9)
    client.reset_session("ada", levels=Chemistry(dopamine=0.9, serotonin=0.1, cortisol=0.1, oxytocin=0.9))
    clock.pass_minutes(15)
    client.apply("ada", reward=1.0)
    clock.pass_minutes(9)


def moment(time_us: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(time_us)
    return stamp


def minute(minutes: float) -> Timestamp:
    return moment(START_US + round(minutes * MINUTE_US))


SPANS = [(0.0, 64.0), (0.0, 3.0), (2.5, 10.0), (10.0, 10.0), (12.0, 45.0), (40.0, 200.0)]


@pytest.mark.parametrize(("start", "end"), SPANS)
def test_a_history_is_the_replay_sampled_evenly(client: Client, start: float, end: float) -> None:
    told = client.history("ada", start=minute(start), end=minute(end), points=37)
    path = replayed(client.export_session("ada").entries)
    times = spread(minute(start).ToMicroseconds(), minute(end).ToMicroseconds(), 37)
    for state, expected in zip(told.samples, sample(path, times), strict=True):
        assert same(state, expected)


def test_a_history_holds_the_entries_of_its_span(client: Client) -> None:
    log = client.export_session("ada").entries
    told = client.history("ada", start=minute(4), end=minute(20), points=2)
    assert [one.sequence for one in told.entries] == [3, 4, 5, 6, 7]
    assert list(told.entries) == list(log[2:7])
    assert told.entries_left_out == 0
    assert len(client.history("ada").samples) == 200


def test_the_state_at_any_moment_is_the_replay_s(client: Client, clock: Clock) -> None:
    path = replayed(client.export_session("ada").entries)
    for minutes in (0.0, 1.7, 3.0, 9.99, 10.0, 40.0, 63.9, 64.0, 500.0, 500_000.0):
        at = minute(minutes)
        assert same(client.state("ada", at=at), sample(path, [at.ToMicroseconds()])[0])
    assert client.state("ada").time.ToMicroseconds() == clock.now_us


def total(told: pb.ExplainResponse, name: str) -> float:
    """All parts of an explanation for a chemical."""
    parts = [told.homeostasis, told.resets]
    for signal in told.signals:
        parts += [signal.events, signal.sustained]
    return sum(getattr(part, name) for part in parts)


@pytest.mark.parametrize(("start", "end"), SPANS)
def test_an_explanation_adds_up_to_the_change(client: Client, start: float, end: float) -> None:
    told = client.explain("ada", start=minute(start), end=minute(end))
    for name in CHEMICALS:
        change = getattr(told.after.chemistry, name) - getattr(told.before.chemistry, name)
        assert abs(total(told, name) - change) <= 1e-9


@pytest.mark.parametrize(("start", "end"), SPANS)
def test_an_explanation_is_the_core_s(client: Client, start: float, end: float) -> None:
    told = client.explain("ada", start=minute(start), end=minute(end))
    log = client.export_session("ada").entries
    path, timed = replayed(log), [(entry.time.ToMicroseconds(), entry_from(entry)) for entry in log[1:]]
    expected = explain(path, timed, minute(start).ToMicroseconds(), minute(end).ToMicroseconds())
    assert same(told.before, expected.before)
    assert same(told.after, expected.after)
    assert {one.signal - 1 for one in told.signals} == expected.events.keys() | expected.sustained.keys()
    for one in told.signals:
        zero = (0.0,) * 4
        assert apart(vector(one.events), expected.events.get(one.signal - 1, zero)) <= 1e-12
        assert apart(vector(one.sustained), expected.sustained.get(one.signal - 1, zero)) <= 1e-12
    assert apart(vector(told.resets), expected.resets) <= 1e-12
    assert [one.sequence for one in told.entries] == [sequence for sequence, _, _ in expected.entries]


def vector(message: pb.ChemicalVector) -> list[float]:
    return [getattr(message, name) for name in CHEMICALS]


def test_an_explanation_names_what_happened(client: Client) -> None:
    told = client.explain("ada", start=minute(0), end=minute(64))
    first = told.entries[0]
    assert (first.sequence, first.note) == (2, "thanked")
    assert {one.signal for one in first.signals} == {pb.SIGNAL_PRAISE, pb.SIGNAL_SOCIAL_WARMTH}
    held = {one.signal for one in told.signals if any(vector(one.sustained))}
    assert held == {pb.SIGNAL_THREAT, pb.SIGNAL_UNCERTAINTY}
    assert any(vector(told.resets))


@pytest.mark.parametrize("without", [[2], [3], [5], [2, 4, 6, 8], [10]])
def test_a_life_without_some_stimuli_is_the_replay_without_them(client: Client, without: list[int]) -> None:
    log = client.export_session("ada").entries
    path = replayed(log)
    kept = [(entry.time.ToMicroseconds(), entry_from(entry)) for entry in log[1:] if entry.sequence not in without]
    other = replay(path[0].moment, kept)
    told = client.counterfactual("ada", without, start=minute(0), end=minute(64), points=33)
    times = spread(START_US, minute(64).ToMicroseconds(), 33)
    for state, expected in zip(told.actual, sample(path, times), strict=True):
        assert same(state, expected)
    for state, expected in zip(told.counterfactual, sample(other, times), strict=True):
        assert same(state, expected)


def test_the_lives_part_only_once_the_stimulus_would_have_happened(client: Client) -> None:
    told = client.counterfactual("ada", [6], start=minute(0), end=minute(20), points=21)
    apart_by = [apart(numbers(a), numbers(b)) for a, b in zip(told.actual, told.counterfactual, strict=True)]
    assert apart_by[:10] == [0.0] * 10
    assert all(difference > 0.01 for difference in apart_by[10:13])


def test_looking_back_changes_nothing(client: Client) -> None:
    before = client.export_json("ada")
    client.history("ada")
    client.explain("ada")
    client.counterfactual("ada", [2])
    assert client.export_json("ada") == before
