"""A session whose past was let go of, seen by its callers: what is known goes on, what is not is refused by its moment."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine
from google.protobuf.timestamp_pb2 import Timestamp
from lives import apart
from loopback import IN_MEMORY, PATIENCE, in_file, service
from wire_client import event, fields, refused

from emotional_ai import Client, InvalidArgument, OutOfRange, SessionConfig, Stimulus
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.names import CHEMICALS
from emotional_ai_service.settings import PrivacySettings, Settings

START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000
KEPT_SECONDS = 10
"""So little that a service lets go of it once a second; the clock is the test's."""
RICH = SessionConfig(
    dynamics=pb.DynamicsConfig(mood=pb.MoodConfig(), circadian=pb.CircadianConfig(), habituation=pb.HabituationConfig())
)


@dataclass(slots=True)
class Clock:
    """Wall time that stands until a test moves it."""

    now_us: int = START_US

    def __call__(self) -> int:
        return self.now_us

    def pass_seconds(self, seconds: float) -> None:
        self.now_us += round(seconds * SECOND_US)


def at(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(START_US + round(seconds * SECOND_US))
    return stamp


def keeping(settings: Settings) -> Settings:
    return replace(settings, privacy=PrivacySettings(keep_us=KEPT_SECONDS * SECOND_US))


def live(client: Client, clock: Clock, session: str) -> None:
    """Entries at seconds 0, 1, 2, 3, 4 (three of them), 20 and 21."""
    client.create_session(session, config=RICH)
    for number in range(1, 4):
        clock.pass_seconds(1)
        client.apply(session, praise=0.3 * number, request_id=f"early-{number}")
    clock.pass_seconds(1)
    client.sustain(session, threat=0.4, minutes=6)
    client.apply_stimuli(session, [event(loss=0.5), Stimulus(skip_minutes=2)], request_id="early-4")
    clock.pass_seconds(16)
    client.apply(session, reward=0.7, note="late", request_id="late-1")
    clock.pass_seconds(1)
    client.apply(session, reward=0.2, request_id="late-2")


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A service that keeps ten seconds, what a session exported before, and its states then."""

    address: str
    client: Client
    clock: Clock
    whole: pb.SessionExport
    states: list[pb.EmotionalState]


def until_trimmed(client: Client, session: str) -> pb.SessionExport:
    """The session's export once nothing of it is older than may be kept."""

    async def waited() -> pb.SessionExport:
        async with asyncio.timeout(PATIENCE):
            while True:
                export = await asyncio.to_thread(client.export_session, session)
                if export.entries[0].HasField("continued"):
                    return export
                await asyncio.sleep(0.05)

    return asyncio.run(waited())


@pytest.fixture(scope="module")
def trimmed() -> Iterator[Trimmed]:
    clock = Clock()
    with service(keeping(IN_MEMORY), clock) as address, Client(address) as client:
        live(client, clock, "ada")
        # Some of it may be gone by now; its twin, to which the same happened, is whole.
        with service(IN_MEMORY, clock) as elsewhere, Client(elsewhere) as other:
            clock.now_us = START_US
            live(other, clock, "ada")
            whole = other.export_session("ada")
            states = list(other.history("ada", start=at(4), end=at(60), points=57).samples)
        until_trimmed(client, "ada")
        yield Trimmed(address, client, clock, whole, states)


def test_states_are_the_same_as_if_nothing_had_been_let_go(trimmed: Trimmed) -> None:
    client = trimmed.client
    kept = client.history("ada", start=at(4), end=at(60), points=57)
    assert list(kept.samples) == trimmed.states
    assert client.state("ada", at=at(12)) == trimmed.states[8]
    assert client.state("ada", at=at(50)) == trimmed.states[46]
    assert client.get_session("ada").created_at == at(0)
    (row,) = (one for one in client.list_sessions() if one.session_id == "ada")
    assert (row.created_at, row.updated_at, row.version) == (at(0), at(21), 9)


def test_looking_back_begins_by_itself_at_what_is_still_known(trimmed: Trimmed) -> None:
    client = trimmed.client
    told = client.history("ada", points=2)
    assert told.samples[0].time == at(4)
    assert [entry.sequence for entry in told.entries] == [7, 8, 9]
    assert told.entries[0].WhichOneof("effect") == "continued"
    explained = client.explain("ada")
    assert explained.before.time == at(4)
    assert [one.sequence for one in explained.entries] == [8, 9]
    assert explained.entries[0].note == "late"
    before, after = explained.before.chemistry, explained.after.chemistry
    for name in CHEMICALS:
        moved = sum(getattr(one.events, name) + getattr(one.sustained, name) for one in explained.signals)
        moved += getattr(explained.homeostasis, name) + getattr(explained.resets, name)
        assert abs(getattr(after, name) - getattr(before, name) - moved) < 1e-12
    other = client.counterfactual("ada", [8], points=2)
    assert other.actual[0] == other.counterfactual[0] == explained.before
    assert apart([other.actual[1].chemistry.dopamine], [other.counterfactual[1].chemistry.dopamine]) > 0.01


def test_what_was_let_go_is_refused_by_the_earliest_moment_known(trimmed: Trimmed) -> None:
    client = trimmed.client
    for call, field in (
        (lambda: client.state("ada", at=at(3.5)), "at"),
        (lambda: client.history("ada", start=at(0)), "start"),
        (lambda: client.history("ada", end=at(1)), "end"),
        (lambda: client.explain("ada", start=at(2), end=at(30)), "start"),
        (lambda: client.counterfactual("ada", [8], start=at(3.999999)), "start"),
        (lambda: client.counterfactual("ada", [3]), "without_sequences"),
        (lambda: client.counterfactual("ada", [8, 7]), "without_sequences"),
    ):
        error = refused(call)
        assert isinstance(error, OutOfRange)
        assert error.reason == "PAST_LET_GO"
        assert error.metadata == {"field": field, "earliest": "2023-11-14T22:13:24Z"}
        assert str(error).startswith(f"{field}: ")
        assert "2023-11-14T22:13:24Z" in str(error)
    early = refused(lambda: client.history("ada", start=at(-1)))
    assert isinstance(early, InvalidArgument)
    assert "before the session was created" in str(early)


@pytest.mark.parametrize(
    "command",
    [
        ("history",),
        ("history", "--start", "3d"),
        ("explain",),
        ("explain", "--minutes", "5000"),
        ("explain", "--start", "2h"),
    ],
)
def test_the_command_line_looks_back_as_far_as_is_known(trimmed: Trimmed, command: tuple[str, ...]) -> None:
    told = CommandLine(trimmed.address)(*command, "--session", "ada")
    assert told.status == 0
    assert told.out.startswith("2023-11-14T22:13:24")
    early = CommandLine(trimmed.address)("history", "--session", "ada", "--start", "2023-11-14T22:13:22Z")
    assert early.status != 0
    assert "nothing is known before 2023-11-14T22:13:24Z" in early.err


def test_a_request_that_is_remembered_is_still_applied_once(trimmed: Trimmed) -> None:
    response = trimmed.client.apply_stimuli("ada", [event(reward=0.7)], request_id="late-1")
    assert response.duplicate


def test_an_export_of_it_is_imported_and_exported_the_same(trimmed: Trimmed) -> None:
    client = trimmed.client
    export = client.export_session("ada")
    assert [entry.sequence for entry in export.entries] == [7, 8, 9]
    assert list(export.entries[1:]) == list(trimmed.whole.entries[7:])
    with service(IN_MEMORY, trimmed.clock) as address, Client(address) as elsewhere:
        made = elsewhere.import_json(client.export_json("ada"), session_id="copy")
        assert (made.created_at, made.state.version) == (at(0), 9)
        assert list(elsewhere.export_session("copy").entries) == list(export.entries)
        copied = elsewhere.history("copy", start=at(4), end=at(60), points=57).samples
        for there, here in zip(trimmed.states, copied, strict=True):
            here.session_id = "ada"
            assert here == there
        assert elsewhere.apply("copy", reward=0.5).version == 10
        (row,) = elsewhere.list_sessions()
        assert (row.created_at, row.version) == (at(0), 10)


WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda first: first["continued"]["chemistry"].update(cortisol=1.5), "continued.chemistry.cortisol"),
    (lambda first: first["continued"]["habituation"].update(praise="NaN"), "continued.habituation.praise"),
    (lambda first: first["continued"]["mood"].update(dopamine="Infinity"), "continued.mood.dopamine"),
    (lambda first: first["continued"].pop("mood"), "continued.mood"),
    (lambda first: first["continued"].pop("createdAt"), "continued.created_at"),
    (lambda first: first["continued"].update(createdAt="2024-01-01T00:00:00Z"), "continued.created_at"),
    (lambda first: first["continued"].update(simulatedMinutes=-1), "continued.simulated_minutes"),
    (lambda first: first["continued"].update(label=99), "continued.label"),
    (lambda first: first["continued"].update(sustainedMinutes=1e9), "continued.sustained_minutes"),
    (lambda first: first.update(sequence="0"), "sequence"),
    (lambda first: first.update(time="2999-01-01T00:00:00Z"), "time"),
]


@pytest.mark.parametrize(
    ("spoil", "field"), WRONG, ids=[f"{number}-{field}" for number, (_, field) in enumerate(WRONG)]
)
def test_a_log_that_continues_from_what_cannot_be_is_refused_by_name(
    trimmed: Trimmed, spoil: Callable[[dict[str, Any]], object], field: str
) -> None:
    export = json.loads(trimmed.client.export_json("ada"))
    spoil(export["entries"][0])
    error = refused(lambda: trimmed.client.import_json(json.dumps(export), session_id="copy"))
    assert isinstance(error, InvalidArgument)
    assert fields(error) == [f"session.entries[0].{field}"]


def test_a_log_continues_at_its_beginning_only_and_without_gaps(trimmed: Trimmed) -> None:
    client = trimmed.client
    export = client.export_session("ada")
    export.entries[2].continued.CopyFrom(export.entries[0].continued)
    error = refused(lambda: client.import_session(export, session_id="copy"))
    assert fields(error) == ["session.entries[2].effect"]
    gap = client.export_session("ada")
    gap.entries[1].sequence = 9
    error = refused(lambda: client.import_session(gap, session_id="copy"))
    assert fields(error) == ["session.entries[1].sequence"]
    assert "must be 8" in str(error)


def test_a_session_is_found_again_in_its_file_after_its_past_was_let_go(tmp_path: Path) -> None:
    clock, settings = Clock(), in_file(tmp_path / "sessions.db")
    with service(keeping(settings), clock) as address, Client(address) as client:
        live(client, clock, "ada")
        assert [entry.sequence for entry in until_trimmed(client, "ada").entries] == [7, 8, 9]
        state = client.state("ada", at=at(40))
    with service(settings, clock) as address, Client(address) as client:
        assert client.state("ada", at=at(40)) == state
        assert client.get_session("ada").created_at == at(0)
        assert client.apply_stimuli("ada", [event(reward=0.7)], request_id="late-1").duplicate
        assert client.apply("ada", reward=0.1).version == 10
