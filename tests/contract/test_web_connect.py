"""Every rpc of the contract by HTTP: what is answered there is what the service answers, in every form a client may choose."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from loopback import PATIENCE, service
from made_up_service import Heard, described, made_up_service
from web_doors import doors

from emotional_ai import Client
from emotional_ai.errors import raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.doors.connect import PREFIXES, SERVICES
from emotional_ai.web.doors.forwarding import LARGE
from emotional_ai.web.doors.refusals import CODES
from emotional_ai_service.settings import JobSettings, Settings, StoreKind, StoreSettings

METHODS = [method for service in SERVICES for method in service.methods]
ADA = {"sessionId": "ada"}
STIMULI = [{"event": {"praise": 0.9}, "note": "wohl getan, ÄÖ"}, {"skipMinutes": 3}]
EXPORT = {
    "sessionId": "old",
    "entries": [{"sequence": "1", "time": "2026-01-01T00:00:00Z", "created": {}}],
}
NOON = 1_780_000_000_000_000
"""The time, which stands still, so that two services live the same."""

REQUESTS: dict[str, dict[str, Any]] = {
    "CreateSession": ADA | {"initial": {"dopamine": 0.9, "serotonin": 0.5, "cortisol": 0.2, "oxytocin": 0.5}},
    "GetSession": ADA,
    "ListSessions": {"pageSize": 5},
    "UpdateSession": ADA
    | {"config": {"dynamics": {"timeScale": 60, "gains": [{"signal": "SIGNAL_LOSS", "gain": {}}]}}},
    "ResetSession": ADA,
    "ApplyStimuli": ADA | {"stimuli": STIMULI, "requestId": "once"},
    "GetState": ADA,
    "StreamState": {"open": ADA},
    "WatchState": ADA | {"intervalMs": 10},
    "GetHistory": ADA | {"points": 3},
    "Explain": ADA,
    "ReplayCounterfactual": ADA | {"withoutSequences": ["4"], "points": 2},
    "ExportSession": ADA,
    "ImportSession": {"session": EXPORT, "sessionId": "copy"},
    "Simulate": {"times": [0, 5], "events": [{"time": 1, "signals": {"reward": 1}}]},
    "Converse": ADA | {"text": "hello"},
    "Generate": ADA | {"messages": [{"role": "ROLE_USER", "content": "hello"}]},
    "Appraise": {"texts": ["hello"]},
    "PreviewExpression": {"chemistry": {"dopamine": 0.9, "serotonin": 0.5, "cortisol": 0.2, "oxytocin": 0.5}},
    "GetModel": {},
    "GetLoad": {},
    "ListAdapters": {},
    "StartJob": {"recipe": "RECIPE_ALL", "config": {"loraRank": 7}},
    "GetJob": {"jobId": "none"},
    "ListJobs": {},
    "CancelJob": {"jobId": "none"},
    "WatchJob": {"jobId": "none"},
    "DeleteSession": ADA,
}
"""A request to every rpc, in an order in which they can be answered."""
ORDERED = sorted(METHODS, key=lambda method: list(REQUESTS).index(method.name))


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two services that live the same: the address of one, and the doors to the other."""
    jobs = tmp_path_factory.mktemp("jobs")
    settings = Settings(
        port=0,
        store=StoreSettings(StoreKind.MEMORY),
        jobs=JobSettings(jobs_dir=jobs / "jobs", loras_dir=jobs / "loras"),
    )
    with ExitStack() as stack:
        one, other = (stack.enter_context(service(settings, lambda: NOON)) for _ in range(2))
        yield one, stack.enter_context(doors(other))


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Client, str]]:
    """A client of a service, and the doors to it."""
    with service() as address, doors(address) as url, Client(address) as client:
        client.create_session("ada")
        yield client, url


def posted(url: str, method: str, body: object, **headers: str) -> httpx.Response:
    """What an rpc of the engine answers."""
    path = f"{url}/emotional_ai.v1.EmotionEngine/{method}"
    return httpx.post(path, json=body, headers=headers, timeout=PATIENCE)


def by_grpc(address: str, method: MethodDescriptor, request: dict[str, Any]) -> object:
    """The first response, or the error; the wire knows no difference between one message and a stream of one."""
    sent = json_format.ParseDict(request, message_factory.GetMessageClass(method.input_type)())
    path = f"/{method.containing_service.full_name}/{method.name}"
    read = message_factory.GetMessageClass(method.output_type).FromString
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(path, type(sent).SerializeToString, read)(iter([sent]), timeout=PATIENCE)
        try:
            return json_format.MessageToDict(next(call))
        except grpc.RpcError as error:
            known = raised(error)
            return (CODES[known.code].value, known.message, known.reason)
        finally:
            call.cancel()


def by_http(url: str, method: MethodDescriptor, request: dict[str, Any]) -> object:
    """The same by HTTP, in plain JSON."""
    path = f"{url}/{method.containing_service.full_name}/{method.name}"
    with httpx.stream("POST", path, json=request, timeout=PATIENCE) as response:
        answer = json.loads(next(response.iter_lines()))
    if response.status_code == 200:
        return answer
    return (answer["code"], answer["message"], answer["details"][0]["debug"]["reason"])


def without_chance(answer: object) -> object:
    """An answer without what is drawn at random."""
    return {key: value for key, value in answer.items() if key != "resumeToken"} if isinstance(answer, dict) else answer


def test_there_is_a_request_to_every_rpc() -> None:
    assert set(REQUESTS) == {method.name for method in METHODS}
    assert len(PREFIXES) == 3


@pytest.mark.parametrize("method", ORDERED, ids=lambda method: method.name)
def test_every_rpc_answers_as_the_service_does(twins: tuple[str, str], method: MethodDescriptor) -> None:
    address, url = twins
    request = REQUESTS[method.name]
    expected = without_chance(by_grpc(address, method, request))
    assert without_chance(by_http(url, method, request)) == expected


def test_no_streamed_response_could_be_taken_for_an_error() -> None:
    for method in METHODS:
        if method.server_streaming:
            assert "error" not in method.output_type.fields_by_name


def test_an_answer_is_that_of_the_sdk(page: tuple[Client, str]) -> None:
    client, url = page
    client.apply("ada", loss=0.4)
    answer = posted(url, "GetHistory", ADA | {"points": 2, "end": client.state("ada").time.ToJsonString()})
    assert answer.headers["content-type"] == "application/json"
    read = json_format.Parse(answer.content, pb.GetHistoryResponse())
    assert read == client.history("ada", points=2, end=read.samples[-1].time)


def test_a_large_answer_is_the_same_in_every_form(page: tuple[Client, str]) -> None:
    client, url = page
    asked = ADA | {"points": 2000, "end": client.state("ada").time.ToJsonString()}
    in_json = posted(url, "GetHistory", asked)
    in_bytes = httpx.post(
        f"{url}/emotional_ai.v1.EmotionEngine/GetHistory",
        content=json_format.ParseDict(asked, pb.GetHistoryRequest()).SerializeToString(),
        headers={"content-type": "application/proto"},
        timeout=PATIENCE,
    )
    assert len(in_bytes.content) > LARGE
    assert json_format.Parse(in_json.content, pb.GetHistoryResponse()) == pb.GetHistoryResponse.FromString(
        in_bytes.content
    )


def test_names_may_be_written_as_in_the_contract(page: tuple[Client, str]) -> None:
    assert posted(page[1], "GetState", {"session_id": "ada"}).json()["state"]["sessionId"] == "ada"


def test_a_request_and_its_answer_may_be_protobuf(page: tuple[Client, str]) -> None:
    request = pb.GetStateRequest(session_id="ada").SerializeToString()
    path = f"{page[1]}/emotional_ai.v1.EmotionEngine/GetState"
    answer = httpx.post(path, content=request, headers={"content-type": "application/proto"}, timeout=PATIENCE)
    assert answer.headers["content-type"] == "application/proto"
    assert pb.GetStateResponse.FromString(answer.content).state.session_id == "ada"


def test_the_text_of_people_comes_back_as_it_was_said(page: tuple[Client, str]) -> None:
    note = 'größer "als" <script>\u2028\U0001f600'
    posted(page[1], "ApplyStimuli", ADA | {"stimuli": [{"event": {"praise": 0.1}, "note": note}]})
    entry = posted(page[1], "GetHistory", ADA | {"points": 2}).json()["entries"][-1]
    assert entry["stimulus"]["note"] == note


@pytest.fixture
async def made_up() -> AsyncIterator[tuple[str, Heard]]:
    heard = Heard()
    async with made_up_service(heard) as address:
        with doors(address, "secret", [described()]) as url:
            yield f"{url}/made.up.Kinds", heard


async def test_a_new_rpc_of_any_kind_is_served_by_itself(made_up: tuple[str, Heard]) -> None:
    url, _ = made_up
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        lines = {"content-type": "application/x-ndjson"}
        told = await http.post(f"{url}/Tell", content='{"value":"a"}\n{"value":"b"}', headers=lines)
        assert told.json() == {"value": "a b"}
        talked = await http.post(f"{url}/Talk", content='{"value":"a"}\n\n{"value":"b"}\n', headers=lines)
        assert talked.text == '{"value": "a"}\n{"value": "b"}\n'


async def test_a_call_ends_at_the_service_when_its_caller_hangs_up(made_up: tuple[str, Heard]) -> None:
    url, heard = made_up
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        asking = asyncio.create_task(http.post(f"{url}/Wait", json={"value": "a"}))
        async with asyncio.timeout(PATIENCE):
            await heard.waiting.wait()
            asking.cancel()
            await heard.left.wait()


async def test_what_declares_that_it_changes_nothing_can_be_got(made_up: tuple[str, Heard]) -> None:
    url, _ = made_up
    message = base64.urlsafe_b64encode(b'{"value":"a"}').decode()
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        got = await http.get(f"{url}/Look", params={"encoding": "json", "base64": "1", "message": message})
        assert got.json() == {"value": "a"}
        assert (await http.get(f"{url}/Ask")).headers["allow"] == "POST"


async def test_nothing_of_a_visitor_travels_on_but_the_request(made_up: tuple[str, Heard]) -> None:
    url, heard = made_up
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        headers = {"authorization": "Bearer page", "cookie": "emotional-ai-8080=proof", "x-mine": "1", "grpc-x": "2"}
        answer = await http.post(f"{url}/Ask", json={"value": "a"}, headers=headers)
    assert answer.status_code == 200
    (metadata,) = heard.metadata
    assert metadata.pop("user-agent").startswith("grpc-python-asyncio")
    assert metadata == {"authorization": "Bearer secret"}
    assert {*answer.headers} <= {"date", "server", "content-type", "content-encoding", "vary", "transfer-encoding"}
