"""Streams by HTTP: a line a response, or Connect's envelopes; they end when either side wants them to."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from connectrpc.client import ConnectClient
from connectrpc.code import Code
from connectrpc.codec import Codec
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from loopback import PATIENCE, hosted, service
from scripted_speech import Script, scripted_service
from web_doors import doors

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb

ENGINE = "/emotional_ai.v1.EmotionEngine/"
ADA = {"sessionId": "ada"}
LINES = {"content-type": "application/x-ndjson"}
Requests = asyncio.Queue[pb.StreamStateRequest | None]
PROTOCOLS = [
    (protocol, codec)
    for protocol in (ProtocolType.CONNECT, ProtocolType.GRPC_WEB)
    for codec in (google_protobuf_json_codec, google_protobuf_binary_codec)
]


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Client, str]]:
    with service() as address, doors(address) as url, Client(address) as client:
        client.create_session("ada")
        yield client, url


def method(name: str, kind: StreamType) -> MethodInfo[Any, Any]:
    """An rpc of the engine, as generated code would describe it."""
    return MethodInfo(
        name=name,
        service_name="emotional_ai.v1.EmotionEngine",
        input=getattr(pb, f"{name}Request"),
        output=getattr(pb, f"{name}Response"),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=kind,
    )


def test_a_state_is_followed_a_line_at_a_time(page: tuple[Client, str]) -> None:
    client, url = page
    with httpx.stream("POST", url + ENGINE + "WatchState", json=ADA, timeout=PATIENCE) as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        lines = response.iter_lines()
        before = json.loads(next(lines))["state"]
        client.apply("ada", reward=0.5)
        after = json.loads(next(lines))["state"]
    assert int(after["version"]) == int(before["version"]) + 1
    assert after["chemistry"]["dopamine"] > before["chemistry"]["dopamine"]


def test_a_stream_that_fails_on_its_way_ends_with_a_line_that_says_so(page: tuple[Client, str]) -> None:
    client, url = page
    client.create_session("brief")
    with httpx.stream("POST", url + ENGINE + "WatchState", json={"sessionId": "brief"}, timeout=PATIENCE) as response:
        lines = response.iter_lines()
        assert "state" in json.loads(next(lines))
        client.delete_session("brief")
        (last,) = map(json.loads, lines)
    assert last["error"]["code"] == "not_found"
    assert last["error"]["details"][0]["debug"]["reason"] == "SESSION_NOT_FOUND"


def test_a_stream_ends_at_its_deadline(page: tuple[Client, str]) -> None:
    path, deadline = page[1] + ENGINE + "WatchState", {"connect-timeout-ms": "2000"}
    with httpx.stream("POST", path, json=ADA, headers=deadline, timeout=PATIENCE) as response:
        *_, last = map(json.loads, response.iter_lines())
    assert last["error"]["code"] == "deadline_exceeded"


def test_a_reply_is_spoken_a_line_at_a_time() -> None:
    with scripted_service(Script()) as address, doors(address) as url, Client(address) as client:
        client.create_session("ada")
        asked = ADA | {"text": "I lost it"}
        with httpx.stream("POST", f"{url}/emotional_ai.v1.Inference/Converse", json=asked, timeout=PATIENCE) as answer:
            events = [json.loads(line) for line in answer.iter_lines()]
    assert [next(iter(event)) for event in events] == ["appraisal", "started", "text", "text", "text", "finished"]
    assert "".join(event["text"]["text"] for event in events[2:5]) == "I am here for you."


@pytest.mark.parametrize("kind", ["application/json", "application/connect+json"])
def test_a_reply_ends_when_its_listener_hangs_up(kind: str) -> None:
    script = Script(pause_after=1)
    with scripted_service(script) as address, doors(address) as url, Client(address) as client:
        client.create_session("ada")
        body = json.dumps(ADA | {"text": "hello"}).encode()
        content = body if kind == "application/json" else b"\0" + len(body).to_bytes(4, "big") + body
        path, headers = f"{url}/emotional_ai.v1.Inference/Converse", {"content-type": kind}
        with httpx.stream("POST", path, content=content, headers=headers, timeout=PATIENCE) as answer:
            arriving = answer.iter_bytes()
            assert any(b"I am " in piece for piece in arriving)
            assert script.paused.wait(PATIENCE)
        assert script.cancelled.wait(PATIENCE), "the service goes on speaking to nobody"


def test_requests_and_responses_pass_each_other_over_one_connection(page: tuple[Client, str]) -> None:
    """By HTTP/1.1, for a client that reads while it writes."""
    host, _, port = page[1].removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as wire, wire.makefile("rb") as answer:
        wire.sendall(
            f"POST {ENGINE}StreamState HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-ndjson\r\n"
            "transfer-encoding: chunked\r\n\r\n".encode()
        )

        def said(message: dict[str, object]) -> None:
            line = json.dumps(message).encode() + b"\n"
            wire.sendall(b"%x\r\n%b\r\n" % (len(line), line))

        def heard() -> dict[str, str]:
            size = int(answer.readline(), 16)
            found: dict[str, str] = json.loads(answer.read(size))
            answer.readline()
            return found

        said({"open": ADA})
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        while answer.readline() != b"\r\n":
            pass
        assert heard()["sequence"] == "1"
        for number in ("1", "2"):
            said({"batch": {"number": number, "stimuli": [{"event": {"reward": 0.1}}]}})
            response = heard()
            assert response["acknowledgedBatch"] == number
            said({"ack": {"sequence": response["sequence"]}})


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_stream_of_requests_may_be_sent_before_any_response_is_read(page: tuple[Client, str], size: int) -> None:
    messages = [{"open": ADA}, {"batch": {"number": 1, "stimuli": [{"event": {"loss": 0.1}}]}}]
    body = "\n\r\n".join(map(json.dumps, messages)).encode()
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    answer = httpx.post(page[1] + ENGINE + "StreamState", content=pieces, headers=LINES, timeout=PATIENCE)
    *_, last = map(json.loads, answer.text.splitlines())
    assert (last["acknowledgedBatch"], bool(last["resumeToken"])) == ("1", True)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ('{"open": {"sessionId": "nobody"}}', 404, "no session 'nobody'"),
        ('{"opened": {}}', 400, "opened: is no field"),
        ('{"ack": {}}', 400, "the first message of a state stream must be `open`"),
    ],
)
def test_a_wrong_beginning_of_a_stream_of_requests_is_refused(
    page: tuple[Client, str], body: str, status: int, words: str
) -> None:
    answer = httpx.post(page[1] + ENGINE + "StreamState", content=body, headers=LINES, timeout=PATIENCE)
    assert answer.status_code == status
    assert words in answer.json()["message"]


async def test_a_stream_of_requests_that_goes_wrong_says_so(page: tuple[Client, str]) -> None:
    async with ConnectClient(page[1], codec=google_protobuf_binary_codec()) as client:
        asked = Requests()
        asked.put_nowait(pb.StreamStateRequest(open=pb.StreamOpen(session_id="ada")))
        kind = method("StreamState", StreamType.BIDI_STREAM)
        responses = client.execute_bidi_stream(request=taken(asked), method=kind)
        assert (await anext(responses)).sequence == 1
        asked.put_nowait(pb.StreamStateRequest(open=pb.StreamOpen(session_id="ada")))
        with pytest.raises(ConnectError) as refused:
            await anext(responses)
    assert refused.value.code is Code.FAILED_PRECONDITION
    assert "`open` may only be the first message" in refused.value.message


def test_a_listener_is_told_when_the_service_goes(page: tuple[Client, str]) -> None:
    with hosted() as going, doors(going.address) as url, Client(going.address) as client:
        client.create_session("ada")
        with httpx.stream("POST", url + ENGINE + "WatchState", json=ADA, timeout=PATIENCE) as response:
            lines = response.iter_lines()
            next(lines)
            going.end()
            (last,) = map(json.loads, lines)
    assert last["draining"]


def test_a_listener_is_told_when_the_doors_close() -> None:
    with service() as address, Client(address) as client, httpx.Client(timeout=PATIENCE) as http:
        client.create_session("ada")
        with doors(address) as url:
            response = http.send(http.build_request("POST", url + ENGINE + "WatchState", json=ADA), stream=True)
            lines = response.iter_lines()
            next(lines)
        (last,) = map(json.loads, lines)
    assert last["error"] == {
        "code": "unavailable",
        "message": "this address is about to close; try again when it is back",
    }


@pytest.mark.parametrize(("protocol", "codec"), PROTOCOLS)
async def test_a_client_of_connect_or_of_grpc_web_is_served(
    page: tuple[Client, str], protocol: ProtocolType, codec: Callable[[], Codec]
) -> None:
    async with ConnectClient(page[1], codec=codec(), protocol=protocol) as client:
        get_state, watch_state = method("GetState", StreamType.UNARY), method("WatchState", StreamType.SERVER_STREAM)
        answer = await client.execute_unary(request=pb.GetStateRequest(session_id="ada"), method=get_state)
        assert answer.state.session_id == "ada"
        with pytest.raises(ConnectError) as refused:
            await client.execute_unary(request=pb.GetStateRequest(session_id="nobody"), method=get_state)
        assert refused.value.code is Code.NOT_FOUND
        assert [detail.type_name for detail in refused.value.details] == ["google.rpc.ErrorInfo"]
        watched = client.execute_server_stream(request=pb.WatchStateRequest(session_id="ada"), method=watch_state)
        async with aclosing(watched):
            assert (await anext(watched)).state.version >= answer.state.version
        assert await numbers_stored(client) == [0, 1, 2]


async def numbers_stored(client: ConnectClient) -> list[int]:
    """Applies two batches over one stream, each once the one before is stored."""
    asked = Requests()
    asked.put_nowait(pb.StreamStateRequest(open=pb.StreamOpen(session_id="ada")))
    stored: list[int] = []
    kind = method("StreamState", StreamType.BIDI_STREAM)
    async for response in client.execute_bidi_stream(request=taken(asked), method=kind):
        asked.put_nowait(pb.StreamStateRequest(ack=pb.StreamAck(sequence=response.sequence)))
        if response.acknowledged_batch in stored:
            continue
        stored.append(response.acknowledged_batch)
        batch = pb.StimulusBatch(number=len(stored), stimuli=[pb.Stimulus(event=pb.Signals(reward=0.1))])
        asked.put_nowait(pb.StreamStateRequest(batch=batch) if len(stored) < 3 else None)
    return stored


async def taken(queue: Requests) -> AsyncIterator[pb.StreamStateRequest]:
    while (request := await queue.get()) is not None:
        yield request
