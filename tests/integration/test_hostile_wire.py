"""What the wire can be made to carry: bytes that are no message, too many of them, and few that unpack to many."""

import resource
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from loopback import PATIENCE, service

from emotional_ai.errors import raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_service.server import ENGINE, INFERENCE, TRAINING

METHODS = [method for service_ in (ENGINE, INFERENCE, TRAINING) for method in service_.methods]
GET_STATE = "/emotional_ai.v1.EmotionEngine/GetState"
LOGGERS = ("emotional_ai", "grpc")
"""What tells of a call that went wrong; what other tests left running in this process may log as well."""
NO_MESSAGES = {
    "cut short": b"\x0a\x05ad",
    "no tag": b"\xff" * 11,
    "no end": b"\x0b" * 300,
}


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    options = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
    with service() as address, grpc.insecure_channel(address, options) as channel:
        yield channel


def refusal(call: grpc.Call) -> tuple[grpc.StatusCode, str, list[str]]:
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    error = raised(caught.value)
    return caught.value.code(), error.reason, [one.field for one in error.violations]


def answered(channel: grpc.Channel, method: MethodDescriptor, body: bytes) -> grpc.Call:
    path = f"/{method.containing_service.full_name}/{method.name}"
    if method.client_streaming:
        return channel.stream_stream(path)(iter([body]), timeout=PATIENCE)
    return channel.unary_stream(path)(body, timeout=PATIENCE)  # reads what is unary as well


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_bytes_that_are_no_message_are_a_callers_mistake_at_every_method(
    channel: grpc.Channel, method: MethodDescriptor, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert refusal(answered(channel, method, body)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        ["request"],
    )
    assert not [record for record in caplog.records if record.name.startswith(LOGGERS)]


def test_a_stream_ends_at_the_first_message_that_is_none(channel: grpc.Channel) -> None:
    made = channel.unary_unary("/emotional_ai.v1.EmotionEngine/CreateSession")
    made(pb.CreateSessionRequest(session_id="ada").SerializeToString(), timeout=PATIENCE)
    opened = pb.StreamStateRequest(open=pb.StreamOpen(session_id="ada")).SerializeToString()
    call = channel.stream_stream("/emotional_ai.v1.EmotionEngine/StreamState")(
        iter([opened, b"\xff"]), timeout=PATIENCE
    )
    assert refusal(call)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_refusal_of_a_thousand_fields_still_reaches_the_caller(channel: grpc.Channel) -> None:
    wrong = pb.Stimulus(event=pb.Signals(**dict.fromkeys(SIGNALS, 2.0)))
    body = pb.ApplyStimuliRequest(session_id="ada", stimuli=[wrong] * 64).SerializeToString()
    call = channel.unary_stream("/emotional_ai.v1.EmotionEngine/ApplyStimuli")(body, timeout=PATIENCE)
    code, reason, fields = refusal(call)
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert fields[:2] == ["stimuli[0].event.reward", "stimuli[0].event.novelty"]
    assert call.details().startswith(
        f"{64 * 12} fields are wrong, the first {len(fields)} are stimuli[0].event.reward: must"
    )


def test_a_request_of_two_million_wrong_parts_is_refused_at_the_first(channel: grpc.Channel) -> None:
    body = b"\x0a\x03ada" + b"\x12\x00" * (2**21 - 8)
    call = channel.unary_stream("/emotional_ai.v1.EmotionEngine/ApplyStimuli")(body, timeout=PATIENCE)
    assert refusal(call) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["stimuli"])


@pytest.mark.parametrize("excess", [1, 4 << 20])
def test_a_request_over_the_limit_is_refused_by_a_byte_as_by_millions(channel: grpc.Channel, excess: int) -> None:
    limit = 4 << 20
    body = b"\x0a" + _varint(limit + excess - 5) + bytes(limit + excess - 5)
    call = channel.unary_unary(GET_STATE)
    with pytest.raises(grpc.RpcError) as caught:
        call(body[: limit + excess], timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\x0a" + _varint(limit - 5) + b"a" * (limit - 5), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_small_request_that_unpacks_to_a_large_one_is_refused_and_costs_no_memory(channel: grpc.Channel) -> None:
    size = 200 << 20
    body = b"\x0a" + _varint(size) + b"a" * size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(GET_STATE)(body, timeout=PATIENCE, compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 << 10
    )  # KiB; the client's own copy is freed


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])
