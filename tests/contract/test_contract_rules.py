"""The rules stand in the contract, reach the stubs, and the quick test never accepts what they refuse."""

import math
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from emotional_ai.limits import GREATEST_SEED, LONGEST_TEXT, MOST_TOKENS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import inference_pb2
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_service.errors import InvalidRequest
from emotional_ai_service.server import ENGINE
from emotional_ai_service.validation import QUICK, check

ROOT = Path(__file__).parents[2]
BUF = Path(sys.executable).with_name("buf")

NUMBERS = st.sampled_from(
    [0.0, -0.0, 5e-324, -5e-324, 0.3, 1.0, math.nextafter(1, 2), 1.5, -1.0, 1e308, math.inf, -math.inf, math.nan]
)
FINE = st.sampled_from([0.0, 0.25, 1.0])
IDS = st.sampled_from(["", "ada", "a" * 128, "a" * 129, "ä" * 128, "😀" * 128, "😀" * 129, "\x00"])
COUNTS = st.sampled_from([0, 1, 2, 3, 127, 128, 129])


@st.composite
def signals(draw: st.DrawFn) -> pb.Signals:
    """Mostly fine, with a few numbers at or over the edges."""
    values = dict(draw(st.lists(st.tuples(st.sampled_from(SIGNALS), FINE), max_size=3)))
    values |= dict(draw(st.lists(st.tuples(st.sampled_from(SIGNALS), NUMBERS), max_size=2)))
    return pb.Signals(**values)


@st.composite
def stimuli(draw: st.DrawFn) -> pb.Stimulus:
    match draw(st.sampled_from(["event", "event", "event", "sustained", "bare", "skip", "nothing"])):
        case "event":
            stimulus = pb.Stimulus(event=draw(signals()))
        case "sustained":
            held = pb.SustainedSignals(signals=draw(signals()), duration_minutes=draw(NUMBERS))
            stimulus = pb.Stimulus(sustained=held)
        case "bare":
            stimulus = pb.Stimulus(sustained=pb.SustainedSignals())
        case "skip":
            stimulus = pb.Stimulus(skip_minutes=draw(NUMBERS))
        case _:
            stimulus = pb.Stimulus()
    stimulus.note = draw(st.sampled_from(["", "", "", "n", "n" * 256, "n" * 257]))
    return stimulus


@st.composite
def some_stimuli(draw: st.DrawFn) -> list[pb.Stimulus]:
    """As many as 129, one of them anywhere among equals of another."""
    count = draw(COUNTS)
    many = [draw(stimuli())] * count
    if many:
        many[draw(st.integers(0, count - 1))] = draw(stimuli())
    return many


applies = st.builds(
    pb.ApplyStimuliRequest,
    session_id=IDS,
    stimuli=some_stimuli(),
    request_id=IDS,
    expected_version=st.none() | st.integers(0, 2**64 - 1),
)
batches = st.builds(pb.StimulusBatch, number=st.sampled_from([0, 1, 2**64 - 1]), stimuli=some_stimuli())
opens = st.builds(
    pb.StreamOpen,
    session_id=IDS,
    credit=st.sampled_from([0, 1, 64, 65]),
    interval_ms=st.sampled_from([0, 1, 3_600_000, 3_600_001]),
)
streamed = st.one_of(
    batches.map(lambda batch: pb.StreamStateRequest(batch=batch)),
    opens.map(lambda opened: pb.StreamStateRequest(open=opened)),
    st.just(pb.StreamStateRequest(ack=pb.StreamAck(sequence=3))),
    st.just(pb.StreamStateRequest()),
)
reads = st.builds(pb.GetStateRequest, session_id=IDS)


@settings(max_examples=300, deadline=None)
@given(applies | streamed | reads)
def test_the_quick_test_accepts_nothing_the_contract_refuses(message: Message) -> None:
    if QUICK[type(message)](message):
        assert not protovalidate.collect_violations(message)


@settings(max_examples=100, deadline=None)
@given(applies | streamed | reads)
def test_a_request_passes_exactly_if_it_keeps_the_rules_of_the_contract(message: Message) -> None:
    violations = protovalidate.collect_violations(message)
    with pytest.raises(InvalidRequest) if violations else nullcontext() as refusal:
        check(message)
    if refusal is not None:
        assert len(refusal.value.violations) == len(violations)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1, 1.1])
@pytest.mark.parametrize("name", SIGNALS)
def test_the_quick_test_sees_a_bad_number_in_every_signal(name: str, value: float) -> None:
    others = dict.fromkeys(SIGNALS, 0.5)
    bad = pb.Stimulus(event=pb.Signals(**others | {name: value}))
    good = pb.Stimulus(event=pb.Signals(**others))
    for order in ([bad, good], [good, bad]):
        assert not QUICK[pb.ApplyStimuliRequest](pb.ApplyStimuliRequest(session_id="ada", stimuli=order))
    assert QUICK[pb.ApplyStimuliRequest](pb.ApplyStimuliRequest(session_id="ada", stimuli=[good] * 128))


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, math.inf, -math.inf, math.nan])
def test_a_min_p_outside_its_range_is_refused_by_name_with_the_range(value: float) -> None:
    message = inference_pb2.ConverseRequest(session_id="ada", text="hello")
    for fine in (0.0, 0.1, math.nextafter(1, 0)):
        message.sampling.min_p = fine
        check(message)
    message.sampling.min_p = value
    with pytest.raises(InvalidRequest, match=r"sampling\.min_p.*greater than or equal to 0 and less than 1"):
        check(message)


def test_the_limits_that_clients_tell_of_are_those_of_the_contract() -> None:
    sampling = inference_pb2.Sampling(max_tokens=MOST_TOKENS, seed=GREATEST_SEED)
    message = inference_pb2.ConverseRequest(session_id="ada", text="a" * LONGEST_TEXT, sampling=sampling)
    check(message)
    message.text += "a"
    message.sampling.max_tokens += 1
    with pytest.raises(InvalidRequest, match=r"(?s)text.*sampling\.max_tokens"):
        check(message)


def requests_with(field: str) -> list[Descriptor]:
    inputs = [method.input_type for method in ENGINE.methods]
    return [one for one in inputs if field in one.fields_by_name and one.name not in MAY_BE_EMPTY]


MAY_BE_EMPTY = {"CreateSessionRequest", "ImportSessionRequest"}
"""Requests whose session id may be left out."""


@pytest.mark.parametrize("request_type", requests_with("session_id"), ids=lambda one: one.name)
def test_the_stubs_carry_the_rules(request_type: Descriptor) -> None:
    with pytest.raises(InvalidRequest, match="session_id"):
        check(GetMessageClass(request_type)())


@pytest.mark.parametrize("command", [("lint",), ("format", "--diff", "--exit-code")], ids=lambda words: words[0])
def test_the_contract_is_clean(command: tuple[str, ...]) -> None:
    done = subprocess.run([BUF, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
