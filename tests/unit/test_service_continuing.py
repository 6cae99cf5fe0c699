"""A log that let go of its older entries goes on exactly as the whole log does."""

import math
from collections.abc import Callable

import pytest
from core_strategies import dynamics, levels, maybe_signals, signals
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.continuing import continued_from
from emotional_ai_service.core.configuration import Dynamics, Habituation, Mood
from emotional_ai_service.core.errors import CoreError
from emotional_ai_service.core.names import SIGNALS, SignalVector, Vector4
from emotional_ai_service.core.timeline import Agent, Moment
from emotional_ai_service.life import Life, let_go, resumed
from emotional_ai_service.snapshots import moment_from, moment_to
from emotional_ai_service.stores import Record
from emotional_ai_service.wire import config_to, levels_to, microseconds, signals_to, timestamp

START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000


def stimulus(signals: SignalVector, minutes: float | None, skipped: float) -> pb.LogEntry:
    """An event; sustained signals where `minutes` is given, without end if infinite; a leap where `skipped` is above 0."""
    if skipped:
        return pb.LogEntry(stimulus=pb.Stimulus(skip_minutes=skipped))
    if minutes is None:
        return pb.LogEntry(stimulus=pb.Stimulus(event=signals_to(signals)))
    held = pb.SustainedSignals(signals=signals_to(signals), duration_minutes=minutes if math.isfinite(minutes) else 0)
    return pb.LogEntry(stimulus=pb.Stimulus(sustained=held))


stimuli = st.builds(
    stimulus,
    maybe_signals() | signals(),
    st.none() | st.floats(0.1, 1000) | st.just(math.inf),
    st.just(0.0) | st.floats(0.1, 100),
)
agents = st.builds(Agent, dynamics())
configured = st.builds(lambda agent: pb.LogEntry(configured=config_to(agent)), agents)
resets = st.builds(
    lambda to: pb.LogEntry(reset=pb.SessionReset(levels=levels_to(to) if to else None)), st.none() | levels
)
lives = st.lists(
    st.tuples(st.integers(0, 30) | st.integers(0, 90 * MINUTE_US), stimuli | configured | resets), max_size=8
)


def logged(agent: Agent, initial: Vector4, happened: list[tuple[int, pb.LogEntry]]) -> list[Record]:
    """The log of a session, with what happened so many microseconds after what went before."""
    created = pb.SessionCreated(config=config_to(agent), initial=levels_to(initial))
    entries, time_us = [pb.LogEntry(sequence=1, time=timestamp(START_US), created=created)], START_US
    for sequence, (elapsed_us, message) in enumerate(happened, start=2):
        time_us += elapsed_us
        entry = pb.LogEntry(sequence=sequence, time=timestamp(time_us), request_id=f"request-{sequence}")
        entry.MergeFrom(message)
        entries.append(entry)
    return [Record(entry.sequence, microseconds(entry.time), entry.SerializeToString()) for entry in entries]


def told(moment: Moment) -> tuple[object, ...]:
    """All of a moment but what it only remembers to save work."""
    return moment._replace(label_slack=0.0)


@settings(max_examples=80, deadline=None)
@given(st.data(), agents, levels, lives, st.integers(0, 10**10))
def test_a_trimmed_log_leads_to_the_same_state_to_the_bit_at_every_later_time(
    data: st.DataObject, agent: Agent, initial: Vector4, happened: list[tuple[int, pb.LogEntry]], later_us: int
) -> None:
    whole = logged(agent, initial, happened)
    cut_us = data.draw(st.sampled_from([record.time_us for record in whole]))
    first = let_go(whole, cut_us)
    if first is None:
        assert [record.time_us for record in whole[1:] if record.time_us <= cut_us] == []
        return
    trimmed = [first, *(record for record in whole if record.sequence > first.sequence)]
    assert first.time_us <= cut_us
    assert all(record.time_us > cut_us for record in trimmed[1:])

    full, kept = Life.of(whole), Life.of(trimmed)
    assert kept.created_us == full.created_us == START_US
    assert (kept.first_sequence, kept.known_from_us) == (first.sequence, first.time_us)
    gone = first.sequence - 1
    assert kept.messages[0].request_id == full.messages[gone].request_id
    for there, here in zip(full.path[gone:], kept.path, strict=True):
        assert told(here.moment) == told(there.moment)
        at_us = here.moment.time_us + later_us
        assert told(here.at(at_us)) == told(there.at(at_us))
    assert told(resumed(None, trimmed)[1]) == told(resumed(None, whole)[1])


@settings(max_examples=40, deadline=None)
@given(agents, levels, lives)
def test_letting_go_by_parts_is_letting_go_at_once(
    agent: Agent, initial: Vector4, happened: list[tuple[int, pb.LogEntry]]
) -> None:
    whole = logged(agent, initial, happened)
    last_us = whole[-1].time_us
    parts = whole
    while len(parts) > 1:
        part = let_go(parts[:3], last_us)
        assert part is not None
        parts = [part, *(record for record in parts if record.sequence > part.sequence)]
    assert parts == ([let_go(whole, last_us)] if len(whole) > 1 else whole)


@settings(max_examples=40, deadline=None)
@given(agents, levels, lives)
def test_a_session_goes_on_to_the_same_bit_from_its_snapshot_too(
    agent: Agent, initial: Vector4, happened: list[tuple[int, pb.LogEntry]]
) -> None:
    whole = logged(agent, initial, happened)
    for count in range(1, len(whole)):
        created_us, moment = resumed(None, whole[:count])
        restored = moment_from(moment_to(created_us, moment))
        assert told(resumed(restored, whole[count:])[1]) == told(resumed(None, whole)[1])


def test_an_entry_that_says_what_the_session_was_counts_wherever_it_is_met() -> None:
    """A replica far behind, or a log read in parts while it was trimmed, finds it in the midst."""
    praised = stimulus((0.0,) * 4 + (0.5,) + (0.0,) * 7, None, 0.0)
    whole = logged(Agent(), Agent().dynamics.baseline, [(MINUTE_US, praised)] * 6)
    first = let_go(whole, whole[4].time_us)
    assert first is not None
    assert first.sequence == 5
    behind = resumed(None, whole[:2])
    assert told(resumed(behind, [first, *whole[5:]])[1]) == told(resumed(None, whole)[1])
    torn = Life.of([*whole[:2], first, *whole[5:]])
    assert torn.first_sequence == 5
    assert [entry.sequence for entry in torn.messages] == [5, 6, 7]


FEARED = tuple(0.5 if name == "threat" else 0.0 for name in SIGNALS)


def sound() -> pb.LogEntry:
    """The first entry of a log that let go, of a session in which something is sustained."""
    whole = logged(
        Agent(),
        (0.5, 0.5, 0.5, 0.5),
        [(MINUTE_US, stimulus(FEARED, 40.0, 0.0)), (MINUTE_US, stimulus(FEARED, None, 0.0))],
    )
    record = let_go(whole, whole[-1].time_us)
    assert record is not None
    return pb.LogEntry.FromString(record.payload)


MOODY = config_to(Agent(Dynamics(mood=Mood(), habituation=Habituation())))
WRONG = [
    (lambda entry: setattr(entry, "sequence", 0), "sequence"),
    (lambda entry: setattr(entry, "sequence", 2**53 + 1), "sequence"),
    (lambda entry: entry.continued.ClearField("config"), "continued.config"),
    (
        lambda entry: setattr(entry.continued.config.dynamics.coupling.cortisol, "dopamine", 9.0),
        "continued.config.dynamics.coupling.cortisol",
    ),
    (lambda entry: entry.continued.ClearField("created_at"), "continued.created_at"),
    (lambda entry: setattr(entry.continued.created_at, "seconds", 10**15), "continued.created_at"),
    (lambda entry: setattr(entry.continued.created_at, "nanos", -1), "continued.created_at"),
    (lambda entry: setattr(entry.continued.created_at, "seconds", entry.time.seconds + 1), "continued.created_at"),
    (lambda entry: setattr(entry.continued, "simulated_minutes", -0.5), "continued.simulated_minutes"),
    (lambda entry: setattr(entry.continued, "simulated_minutes", math.inf), "continued.simulated_minutes"),
    (lambda entry: setattr(entry.continued, "simulated_minutes", math.nan), "continued.simulated_minutes"),
    (lambda entry: entry.continued.ClearField("chemistry"), "continued.chemistry"),
    (lambda entry: setattr(entry.continued.chemistry, "cortisol", 1.1), "continued.chemistry.cortisol"),
    (lambda entry: setattr(entry.continued.chemistry, "oxytocin", math.nan), "continued.chemistry.oxytocin"),
    (lambda entry: entry.continued.mood.SetInParent(), "continued.mood"),
    (lambda entry: entry.continued.config.CopyFrom(MOODY), "continued.mood"),
    (lambda entry: moody(entry, math.inf), "continued.mood.cortisol"),
    (lambda entry: setattr(entry.continued.habituation, "praise", 0.5), "continued.habituation"),
    (lambda entry: setattr(entry.continued.habituation, "praise", 1.5), "continued.habituation.praise"),
    (lambda entry: setattr(entry.continued.sustained, "threat", -1), "continued.sustained.threat"),
    (lambda entry: entry.continued.sustained.Clear(), "continued.sustained_minutes"),
    (lambda entry: setattr(entry.continued, "sustained_minutes", 0.0), "continued.sustained_minutes"),
    (lambda entry: setattr(entry.continued, "sustained_minutes", math.nan), "continued.sustained_minutes"),
    (lambda entry: setattr(entry.continued, "sustained_minutes", 2e7), "continued.sustained_minutes"),
    (lambda entry: entry.continued.ClearField("label"), "continued.label"),
    (lambda entry: setattr(entry.continued, "label", 17), "continued.label"),
    (lambda entry: entry.continued.sustained.MergeFromString(b"\x69" + bytes(8)), "continued.sustained"),
]


def moody(entry: pb.LogEntry, cortisol: float) -> None:
    entry.continued.config.CopyFrom(MOODY)
    entry.continued.mood.cortisol = cortisol


@pytest.mark.parametrize(
    ("spoil", "field"), WRONG, ids=[f"{number}-{field}" for number, (_, field) in enumerate(WRONG)]
)
def test_numbers_that_no_session_can_have_are_refused_by_name(spoil: Callable[[pb.LogEntry], None], field: str) -> None:
    entry = sound()
    continued_from(entry)
    spoil(entry)
    with pytest.raises(CoreError) as refused:
        continued_from(entry)
    assert refused.value.field == field
    assert "must" in refused.value.description or "unknown signal" in refused.value.description


def test_mood_and_habituation_are_taken_where_they_are_on() -> None:
    entry = sound()
    moody(entry, -0.25)
    entry.continued.habituation.praise = 0.5
    _, moment = continued_from(entry)
    assert moment.flow[4:] == (0.0, 0.0, -0.25, 0.0)
    assert moment.habituation == tuple(0.5 if name == "praise" else 0.0 for name in SIGNALS)
