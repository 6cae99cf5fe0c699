"""What a caller by HTTP is told when something is wrong: the code, words that help, and the details of the contract."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest
from connectrpc.code import Code
from google.protobuf.any_pb2 import Any as AnyMessage
from loopback import IN_MEMORY, PATIENCE, hosted, service
from ports import free_port
from refusing_service import MESSAGE, ROUNDED_UP, Refusal, refusing_service
from web_doors import doors

from emotional_ai import Client
from emotional_ai.connection import REQUEST_LIMIT
from emotional_ai.errors import DETAILS_KEY, ERRORS
from emotional_ai.v1 import status_pb2
from emotional_ai.web.doors import Upstream, connect_app
from emotional_ai.web.doors.connect import SERVICES
from emotional_ai.web.doors.refusals import CODES, HTTP_STATUS, refused

ENGINE = "/emotional_ai.v1.EmotionEngine/"
ADA = {"sessionId": "ada"}
JSON = {"content-type": "application/json"}
BROKEN = AnyMessage(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")
LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service() as address, doors(address) as url, Client(address) as client:
        client.create_session("ada")
        yield url


def posted(url: str, path: str, body: str | bytes = "{}", **headers: str) -> httpx.Response:
    """What is answered to a body."""
    return httpx.post(url + path, content=body, headers=JSON | headers, timeout=PATIENCE)


def debug(answer: httpx.Response, kind: str) -> Any:
    """A detail of an error as its JSON shows it."""
    return {detail["type"]: detail["debug"] for detail in answer.json()["details"]}[f"google.rpc.{kind}"]


def test_an_error_of_the_service_arrives_whole(url: str) -> None:
    body = json.dumps(ADA | {"stimuli": [{"event": {"reward": 7, "loss": -1}}]})
    answer = posted(url, ENGINE + "ApplyStimuli", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
    assert answer.json()["message"].startswith("stimuli[0].event.reward: must be")
    (info, request) = answer.json()["details"]
    assert (info["type"], info["debug"]) == (
        "google.rpc.ErrorInfo",
        {"reason": "INVALID_REQUEST", "domain": "emotional-ai"},
    )
    assert not info["value"].endswith("=")
    read = status_pb2.RpcBadRequest.FromString(base64.b64decode(request["value"] + "==="))
    shown = request["debug"]["fieldViolations"]
    assert [one.field for one in read.field_violations] == [one["field"] for one in shown]
    assert {one["field"] for one in shown} == {"stimuli[0].event.reward", "stimuli[0].event.loss"}


def test_every_status_has_a_code_and_every_code_the_status_of_its_protocol() -> None:
    assert set(CODES) == set(ERRORS)
    assert set(HTTP_STATUS) == set(CODES.values())


@pytest.fixture(scope="module")
def refusing() -> Iterator[tuple[Refusal, str]]:
    refusal = Refusal(None, reason="BECAUSE", retry_seconds=3)
    with refusing_service(refusal) as address, doors(address) as url:
        yield refusal, url


@pytest.mark.parametrize("status", ERRORS, ids=lambda status: status.name)
def test_every_status_of_the_service_is_told_by_its_name(
    refusing: tuple[Refusal, str], status: grpc.StatusCode
) -> None:
    refusal, url = refusing
    refusal.code = status
    refusal.asked.clear()
    answer = posted(url, ENGINE + "GetState", json.dumps(ADA))
    name = "canceled" if status is grpc.StatusCode.CANCELLED else status.name.lower()
    assert (answer.json()["code"], answer.json()["message"]) == (name, MESSAGE)
    assert answer.status_code == HTTP_STATUS[CODES[status]]
    assert debug(answer, "ErrorInfo")["reason"] == "BECAUSE"
    assert debug(answer, "RetryInfo") == {"retryDelay": "3s"}
    assert refusal.asked == ["GetState"], "nothing is sent twice"


@pytest.mark.parametrize("sent", [b"\xff", status_pb2.RpcStatus(details=[BROKEN]).SerializeToString()])
def test_details_that_cannot_be_read_cost_the_details_alone(sent: bytes) -> None:
    none, trailers = grpc.aio.Metadata(), grpc.aio.Metadata((DETAILS_KEY, sent))
    told = refused(grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, none, trailers, "another was first"), "here:1")
    assert (told.code, told.message, told.details) == (CODES[grpc.StatusCode.ABORTED], "another was first", [])


WRONG = [
    ('{"sessionId": "ada", "at_": 1}', "at_", "is no field; those there are: sessionId, at"),
    ('{"sessionId": 3}', "sessionId", "expected string or bytes-like object, got 'int'"),
    ('{"sessionId": "ada", "at": "noon"}', "at", "missing valid timezone"),
    ('{"sessionId": "\\ud800"}', "sessionId", "surrogate"),
    ('{"sessionId": "ada"', "", "is not the JSON of a GetStateRequest: Failed to load JSON"),
    ('{"sessionId": "a", "sessionId": "b"}', "", "duplicate key sessionId"),
    ("[]", "", "is not the JSON of a GetStateRequest, which is an object"),
    ("null", "", "which is an object"),
    ("", "", "which is an object"),
    (b"\xff\xfe", "", "is not UTF-8"),
    ('{"sessionId": ' + "[" * 100_000, "", "is not the JSON"),
]


@pytest.mark.parametrize(("body", "field", "words"), WRONG, ids=range(len(WRONG)))
def test_a_body_that_is_no_request_is_refused_saying_where(url: str, body: str | bytes, field: str, words: str) -> None:
    answer = posted(url, ENGINE + "GetState", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
    assert words in answer.json()["message"]
    (violation,) = debug(answer, "BadRequest")["fieldViolations"]
    assert violation.get("field", "") == field
    assert answer.json()["message"].startswith(f"{field}: " if field else "the body is not")


DEEP = [
    ({"event": {"rewardd": 1}}, "stimuli[0].event.rewardd", "is no field; those there are: reward, novelty,"),
    ({"event": {"reward": "high"}}, "stimuli[0].event.reward", "Couldn't parse float: high"),
    ({"event": {"reward": 1}, "skipMinutes": 1}, "stimuli[0]", 'should not have multiple "effect" oneof fields'),
    (3, "stimuli", "must be an object"),
    (None, "stimuli[0]", "null is not allowed"),
]


@pytest.mark.parametrize(("stimulus", "field", "words"), DEEP, ids=range(len(DEEP)))
def test_a_wrong_field_is_named_by_its_whole_path(url: str, stimulus: object, field: str, words: str) -> None:
    answer = posted(url, ENGINE + "ApplyStimuli", json.dumps(ADA | {"stimuli": [stimulus]}))
    assert answer.json()["message"].startswith(f"{field}: ")
    assert words in answer.json()["message"]
    assert "\n" not in answer.json()["message"]
    assert "Failed to parse" not in answer.json()["message"]


def test_bytes_that_are_no_protobuf_are_refused(url: str) -> None:
    answer = posted(url, ENGINE + "GetState", b"\xff\xff", **{"content-type": "application/proto"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")


def test_what_is_too_large_is_refused_however_it_comes(url: str) -> None:
    large = json.dumps({"sessionId": "a" * REQUEST_LIMIT})
    half = [large[: REQUEST_LIMIT // 2].encode(), large[REQUEST_LIMIT // 2 :].encode()]
    packed = gzip.compress(large.encode())
    for method, headers, content in (
        ("GetState", JSON, large),
        ("GetState", JSON, iter(half)),
        ("GetState", JSON | {"content-encoding": "gzip"}, packed),
        ("WatchState", JSON, large),
        ("WatchState", JSON, iter(half)),
        ("StreamState", LINES, large),
        ("StreamState", LINES, iter(half)),
    ):
        answer = httpx.post(url + ENGINE + method, content=content, headers=headers, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (429, "resource_exhausted"), method
        assert "4 MiB" in answer.json()["message"] or "4194304" in answer.json()["message"]
    assert posted(url, ENGINE + "GetState", json.dumps(ADA)).status_code == 200


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/grpc", "application/connect+json"]
)
def test_a_content_type_that_is_not_taken_is_told_those_that_are(url: str, kind: str) -> None:
    answer = posted(url, ENGINE + "GetState", json.dumps(ADA), **{"content-type": kind})
    assert answer.status_code == 415
    assert f"content-type {kind or '(none)'} is not taken; GetState takes application/json" in answer.json()["message"]
    assert answer.headers["accept-post"].startswith("application/json, application/proto")


def test_the_content_type_may_name_its_characters(url: str) -> None:
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    assert posted(url, ENGINE + "GetState", json.dumps(ADA), **kind).status_code == 200
    assert posted(url, ENGINE + "WatchState", json.dumps({"sessionId": "nobody"}), **kind).status_code == 404


def test_an_rpc_that_there_is_not_is_told_those_there_are(url: str) -> None:
    answer = posted(url, ENGINE + "GetStat")
    assert (answer.status_code, answer.json()["code"]) == (404, "unimplemented")
    for method in SERVICES[0].methods:
        assert method.name in answer.json()["message"]
    assert "the services are emotional_ai.v1.EmotionEngine, " in posted(url, "/nothing/here").json()["message"]


def test_another_method_of_http_is_refused(url: str) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        answer = httpx.request(method, url + ENGINE + "GetState", timeout=PATIENCE)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert f"by POST, not by {method}" in answer.json()["message"]


@pytest.mark.parametrize("method", ["GetState", "WatchState"])
def test_a_deadline_that_is_no_number_is_refused(url: str, method: str) -> None:
    for wrong in ("soon", "-1", "12345678901", "\xff"):
        deadline = [(b"connect-timeout-ms", wrong.encode("latin-1"))]
        answer = httpx.post(url + ENGINE + method, json=ADA, headers=deadline, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
        assert "timeout" in answer.json()["message"]


def test_a_service_that_is_away_is_told_with_the_command_that_starts_it() -> None:
    port = free_port()
    with doors(f"127.0.0.1:{port}") as url:
        for method in ("GetState", "WatchState"):
            answer = posted(url, ENGINE + method, json.dumps(ADA))
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.json()["message"] == (
                f"no service answers at 127.0.0.1:{port}; `emotional-ai serve --port {port}` starts one"
            )


def test_a_service_that_comes_back_is_found_again() -> None:
    with hosted() as first, doors(first.address) as url:
        port = int(first.address.rpartition(":")[2])
        assert posted(url, ENGINE + "ListSessions").status_code == 200
        first.end()
        assert posted(url, ENGINE + "ListSessions").status_code == 503
        with service(replace(IN_MEMORY, port=port)):
            while (answer := posted(url, ENGINE + "ListSessions")).status_code == 503:
                pass
            assert answer.json() == {}


@pytest.mark.parametrize("method", ["GetState", "WatchState", "StreamState"])
async def test_doors_whose_way_is_closed_say_so(method: str) -> None:
    upstream = Upstream("127.0.0.1:1")
    transport = httpx.ASGITransport(connect_app(upstream))
    await upstream.close()
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        answer = await http.post(ENGINE + method, json=ADA if method != "StreamState" else {"open": ADA})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["message"].startswith("this address is about to close")


def test_the_service_waits_no_longer_than_the_caller() -> None:
    refusal = Refusal(None)
    with refusing_service(refusal) as address, doors(address) as url:
        answer = posted(url, ENGINE + "GetState", json.dumps(ADA), **{"connect-timeout-ms": "2000"})
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert 0 < refusal.seconds[0] <= 2 * ROUNDED_UP


def test_a_token_that_would_cross_a_network_in_the_clear_is_refused() -> None:
    with pytest.raises(ValueError, match=r"would reach '192\.0\.2\.1:50051' unencrypted"):
        Upstream("192.0.2.1:50051", "secret")


def test_an_answer_that_grpc_lost_while_it_sent_is_no_fault_of_the_service() -> None:
    lost = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core"
    )
    told = refused(lost, "127.0.0.1:1")
    assert told.code is Code.UNAVAILABLE
    assert "sends it again" in told.message
