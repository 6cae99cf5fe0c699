"""Whatever is refused says which field and what is allowed, and leaves the session as it was."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loopback import service
from wire_client import event, fields, refused, refused_without_a_trace, stub

from emotional_ai import (
    Aborted,
    AlreadyExists,
    Client,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    SessionConfig,
    Stimulus,
    SustainedSignals,
)
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai_service.core.names import SIGNALS


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as address:
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        client.create_session("ada")
        client.apply("ada", reward=0.4)
        yield client


@pytest.fixture(scope="module")
def raw(address: str) -> Iterator[EmotionEngineStub]:
    with stub(address) as raw:
        yield raw


def apply(client: Client, *stimuli: Stimulus, request_id: str = "") -> Callable[[], object]:
    return lambda: client.apply_stimuli("ada", stimuli, request_id=request_id)


UNKNOWN_SESSION: dict[str, Callable[[Client], object]] = {
    "GetSession": lambda client: client.get_session("nobody"),
    "UpdateSession": lambda client: client.update_session("nobody", SessionConfig()),
    "DeleteSession": lambda client: client.delete_session("nobody"),
    "ResetSession": lambda client: client.reset_session("nobody"),
    "GetState": lambda client: client.state("nobody"),
    "ApplyStimuli": lambda client: client.apply("nobody", reward=0.5),
    "GetHistory": lambda client: client.history("nobody"),
    "Explain": lambda client: client.explain("nobody"),
    "ReplayCounterfactual": lambda client: client.counterfactual("nobody", [2]),
    "ExportSession": lambda client: client.export_session("nobody"),
    "WatchState": lambda client: next(iter(client.watch("nobody"))),
}


@pytest.mark.parametrize("rpc", UNKNOWN_SESSION)
def test_an_unknown_session_is_not_found_and_not_made(client: Client, rpc: str) -> None:
    error = refused_without_a_trace(client, lambda: UNKNOWN_SESSION[rpc](client))
    assert isinstance(error, NotFound)
    assert error.reason == "SESSION_NOT_FOUND"
    assert error.metadata["session_id"] == "nobody"
    assert "CreateSession" in str(error)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e-9, 1.0000001, 7.0])
@pytest.mark.parametrize("name", [SIGNALS[0], SIGNALS[6], SIGNALS[11]])
def test_a_signal_outside_its_range_is_refused_by_name(client: Client, name: str, value: float) -> None:
    error = refused_without_a_trace(client, apply(client, event(praise=0.5), event(**{name: value})))
    assert isinstance(error, InvalidArgument)
    assert error.reason == "INVALID_REQUEST"
    assert fields(error) == [f"stimuli[1].event.{name}"]
    assert "greater than or equal to 0 and less than or equal to 1" in error.violations[0].description


@pytest.mark.parametrize(
    ("stimulus", "field"),
    [
        (Stimulus(), "stimuli[0]"),
        (Stimulus(skip_minutes=0.0), "stimuli[0].skip_minutes"),
        (Stimulus(skip_minutes=math.nan), "stimuli[0].skip_minutes"),
        (Stimulus(skip_minutes=-1.0), "stimuli[0].skip_minutes"),
        (Stimulus(skip_minutes=1e9), "stimuli[0].skip_minutes"),
        (Stimulus(sustained=SustainedSignals()), "stimuli[0].sustained.signals"),
        (
            Stimulus(sustained=SustainedSignals(signals=pb.Signals(loss=math.inf))),
            "stimuli[0].sustained.signals.loss",
        ),
        (
            Stimulus(sustained=SustainedSignals(signals=pb.Signals(loss=0.5), duration_minutes=-1)),
            "stimuli[0].sustained.duration_minutes",
        ),
        (
            Stimulus(sustained=SustainedSignals(signals=pb.Signals(loss=0.5), duration_minutes=math.nan)),
            "stimuli[0].sustained.duration_minutes",
        ),
        (Stimulus(event=pb.Signals(loss=0.5), note="n" * 257), "stimuli[0].note"),
    ],
)
def test_a_stimulus_that_cannot_be_is_refused_by_field(client: Client, stimulus: Stimulus, field: str) -> None:
    error = refused_without_a_trace(client, apply(client, stimulus))
    assert isinstance(error, InvalidArgument)
    assert [one.removesuffix(".effect") for one in fields(error)] == [field]


def unknown_signal() -> Stimulus:
    """Signals as a newer contract might have them: a thirteenth, 0.5, beside the first."""
    signals = pb.Signals(reward=0.5).SerializeToString()
    thirteenth = signals.replace(b"\x09", b"\x69", 1)
    return Stimulus(event=pb.Signals.FromString(signals + thirteenth))


@pytest.mark.parametrize("held", [False, True])
def test_a_signal_this_version_does_not_know_is_refused_not_dropped(client: Client, held: bool) -> None:
    stimulus, path = unknown_signal(), "event"
    if held:
        stimulus, path = Stimulus(sustained=SustainedSignals(signals=stimulus.event)), "sustained.signals"
    error = refused_without_a_trace(client, apply(client, event(praise=0.5), stimulus))
    assert isinstance(error, InvalidArgument)
    assert error.reason == "INVALID_INPUT"
    assert fields(error) == [f"stimuli[1].{path}"]
    assert "field 13" in str(error)
    assert all(name in str(error) for name in SIGNALS)


@pytest.mark.parametrize(("count", "allowed"), [(0, "at least 1"), (129, "no more than 128")])
def test_a_batch_holds_one_to_128_stimuli(client: Client, count: int, allowed: str) -> None:
    error = refused_without_a_trace(client, apply(client, *[event(reward=0.1)] * count))
    assert isinstance(error, InvalidArgument)
    assert fields(error) == ["stimuli"]
    assert allowed in str(error)


def test_every_broken_rule_of_a_request_is_named_at_once(client: Client) -> None:
    stimuli = [event(reward=2.0, loss=-1.0), event(threat=math.nan)]
    error = refused_without_a_trace(client, apply(client, *stimuli, request_id="r" * 129))
    assert set(fields(error)) == {
        "stimuli[0].event.reward",
        "stimuli[0].event.loss",
        "stimuli[1].event.threat",
        "request_id",
    }


def test_one_bad_stimulus_keeps_the_good_ones_beside_it_from_being_applied(client: Client) -> None:
    version = client.state("ada").version
    refused(apply(client, *[event(reward=0.1)] * 127, Stimulus(skip_minutes=-1)))
    assert client.state("ada").version == version


@pytest.mark.parametrize("session_id", ["", "a" * 129])
def test_a_session_id_out_of_bounds_is_refused(client: Client, session_id: str) -> None:
    error = refused_without_a_trace(client, lambda: client.state(session_id))
    assert isinstance(error, InvalidArgument)
    assert fields(error) == ["session_id"]


@pytest.mark.parametrize("session_id", ["a b", "-a", "ä", "../a", "a" * 129, "a\x00"])
def test_a_session_is_not_made_under_an_id_out_of_form(client: Client, session_id: str) -> None:
    error = refused_without_a_trace(client, lambda: client.create_session(session_id))
    assert isinstance(error, InvalidArgument)
    assert fields(error) == ["session_id"]
    assert "letters, digits" in str(error)


def test_an_id_that_is_taken_is_refused(client: Client) -> None:
    error = refused_without_a_trace(client, lambda: client.create_session("ada"))
    assert isinstance(error, AlreadyExists)
    assert error.reason == "SESSION_EXISTS"
    assert error.metadata["session_id"] == "ada"


def ago(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) - timedelta(seconds=seconds))
    return stamp


def test_time_cannot_go_backwards(client: Client) -> None:
    late = Stimulus(event=pb.Signals(reward=0.5), occurred_at=ago(3600))
    error = refused_without_a_trace(client, apply(client, event(praise=0.2), late))
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "TIME_REVERSED"
    assert "stimuli[1].occurred_at" in str(error)
    assert "time cannot go backwards" in str(error)


def test_time_cannot_go_backwards_within_a_batch(client: Client) -> None:
    created = client.create_session("past").created_at.ToNanoseconds()
    stimuli = [Stimulus(event=pb.Signals(reward=0.5), occurred_at=at(created + ahead)) for ahead in (500_000_000, 100)]
    error = refused(lambda: client.apply_stimuli("past", stimuli))
    assert error.reason == "TIME_REVERSED"
    assert "stimuli[1].occurred_at" in str(error)
    assert client.state("past").version == 1


def at(nanoseconds: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromNanoseconds(nanoseconds)
    return stamp


@pytest.mark.parametrize("ahead", [5.0, 1e9])
def test_what_happens_in_the_future_is_refused(client: Client, ahead: float) -> None:
    early = Stimulus(event=pb.Signals(reward=0.5), occurred_at=ago(-ahead))
    error = refused_without_a_trace(client, apply(client, event(praise=0.2), early))
    assert isinstance(error, InvalidArgument)
    assert error.reason == "INVALID_INPUT"
    assert fields(error) == ["stimuli[1].occurred_at"]
    assert "at most 1 s is allowed" in str(error)


def test_an_expected_version_that_is_not_the_session_s_is_refused(client: Client) -> None:
    version = client.state("ada").version
    for call in (
        lambda: client.apply("ada", reward=0.5, expected_version=version + 1),
        lambda: client.update_session("ada", SessionConfig(), expected_version=version - 1),
        lambda: client.reset_session("ada", expected_version=0),
    ):
        error = refused_without_a_trace(client, call)
        assert isinstance(error, Aborted)
        assert error.reason == "VERSION_MISMATCH"
        assert error.metadata["actual_version"] == str(version)
        assert "read the state again" in str(error)


def test_a_page_is_bounded(raw: EmotionEngineStub) -> None:
    assert fields(refused(lambda: raw.ListSessions(pb.ListSessionsRequest(page_size=1001)))) == ["page_size"]
    token = pb.ListSessionsRequest(page_token="t" * 257)
    assert fields(refused(lambda: raw.ListSessions(token))) == ["page_token"]


def oversized() -> pb.ApplyStimuliRequest:
    """More than 4 MiB, and within every other rule but the count."""
    stimulus = Stimulus(event=pb.Signals(reward=0.5), note="n" * 256)
    return pb.ApplyStimuliRequest(session_id="ada", stimuli=[stimulus] * 20_000)


def test_a_message_over_4_mib_is_refused_and_the_service_lives_on(client: Client, raw: EmotionEngineStub) -> None:
    error = refused_without_a_trace(client, lambda: raw.ApplyStimuli(oversized()))
    assert isinstance(error, ResourceExhausted)
    assert "4194304" in str(error)


def test_a_client_does_not_even_send_a_message_over_4_mib(client: Client) -> None:
    error = refused_without_a_trace(client, lambda: client.apply_stimuli("ada", oversized().stimuli))
    assert isinstance(error, ResourceExhausted)
    assert "4 MiB" in str(error)


def test_bytes_that_are_no_message_are_refused_and_the_service_lives_on(client: Client, address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        garbage = channel.unary_unary("/emotional_ai.v1.EmotionEngine/ApplyStimuli")
        with pytest.raises(grpc.RpcError) as caught:
            garbage(b"\xff\xff\xff\xff")
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() in {grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN}
    assert client.state("ada").version >= 2
