"""The clients' calls of one response, over a real connection to a scripted service."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from ports import nowhere

from emotional_ai import (
    AlreadyExists,
    AsyncClient,
    Client,
    DeadlineExceeded,
    Deadlines,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Signals,
    Stimulus,
    Unavailable,
    Unimplemented,
)
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import status_pb2
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineServicer, add_EmotionEngineServicer_to_server


def details(code: grpc.StatusCode, message: str, **parts: object) -> tuple[tuple[str, bytes], ...]:
    """The trailer of an error, under the names google.rpc gives its parts."""
    status = status_pb2.RpcStatus(code=code.value[0], message=message)
    for name, part in parts.items():
        status.details.append(Any(type_url=f"type.googleapis.com/google.rpc.{name}", value=part.SerializeToString()))
    return (("grpc-status-details-bin", status.SerializeToString()),)


class Scripted(EmotionEngineServicer):
    """Fails as often as told with UNAVAILABLE, then does the little that is asked; keeps every request."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.failures = 0
        self.requests: list[object] = []
        self.metadata: dict[str, str] = {}
        self.applied: dict[str, int] = {}
        self.version = 0
        self.fail_after_applying = 0
        self.release = threading.Event()

    def _met(self, name: str, request: object, context: grpc.ServicerContext) -> None:
        self.calls[name] += 1
        self.requests.append(request)
        self.metadata = dict(context.invocation_metadata())
        if self.failures:
            self.failures -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")

    def GetState(self, request, context):
        self._met("GetState", request, context)
        if request.session_id == "slow":
            self.release.wait(10)
        if request.session_id == "unknown":
            context.set_trailing_metadata(
                details(
                    grpc.StatusCode.NOT_FOUND,
                    "no session 'unknown'",
                    ErrorInfo=status_pb2.RpcErrorInfo(
                        reason="SESSION_NOT_FOUND", domain="emotional-ai", metadata={"session_id": "unknown"}
                    ),
                )
            )
            context.abort(grpc.StatusCode.NOT_FOUND, "no session 'unknown'")
        return pb.GetStateResponse(state=pb.EmotionalState(session_id=request.session_id, version=self.version))

    def ApplyStimuli(self, request, context):
        self._met("ApplyStimuli", request, context)
        if any(stimulus.event.reward > 1 for stimulus in request.stimuli):
            violation = status_pb2.RpcBadRequest.FieldViolation(
                field="stimuli[0].event.reward", description="must be in [0, 1]"
            )
            context.set_trailing_metadata(
                details(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    "stimuli[0].event.reward: must be in [0, 1]",
                    ErrorInfo=status_pb2.RpcErrorInfo(reason="INVALID_REQUEST", domain="emotional-ai"),
                    BadRequest=status_pb2.RpcBadRequest(field_violations=[violation]),
                )
            )
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "stimuli[0].event.reward: must be in [0, 1]")
        duplicate = request.request_id in self.applied
        if not duplicate:
            self.version += len(request.stimuli)
            self.applied[request.request_id] = self.version
        if self.fail_after_applying:
            self.fail_after_applying -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
        return pb.ApplyStimuliResponse(state=pb.EmotionalState(version=self.version), duplicate=duplicate)

    def CreateSession(self, request, context):
        self._met("CreateSession", request, context)
        if request.session_id == "taken":
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "session 'taken' exists already")
        return pb.CreateSessionResponse(session=pb.Session(session_id=request.session_id))

    def DeleteSession(self, request, context):
        self._met("DeleteSession", request, context)
        return pb.DeleteSessionResponse()

    def ListSessions(self, request, context):
        self._met("ListSessions", request, context)
        first = int(request.page_token or 0)
        ids = [f"s{i}" for i in range(5)][first : first + request.page_size]
        after = first + len(ids)
        return pb.ListSessionsResponse(
            sessions=[pb.SessionSummary(session_id=one) for one in ids], next_page_token=str(after) if after < 5 else ""
        )

    def ExportSession(self, request, context):
        self._met("ExportSession", request, context)
        created = pb.LogEntry(sequence=1, created=pb.SessionCreated(initial=pb.Chemistry(dopamine=0.1 + 0.2)))
        return pb.ExportSessionResponse(
            session=pb.SessionExport(format="emotional-ai/session/1", session_id=request.session_id, entries=[created])
        )

    def ImportSession(self, request, context):
        self._met("ImportSession", request, context)
        return pb.ImportSessionResponse(session=pb.Session(session_id=request.session_id or request.session.session_id))


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
def target(service: Scripted) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(8))
    add_EmotionEngineServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    service.release.set()
    server.stop(None).wait(10)


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target) as client:
        yield client


def test_a_read_is_tried_again_until_the_service_is_there(client: Client, service: Scripted) -> None:
    service.failures = 2
    assert client.state("ada").session_id == "ada"
    assert service.calls["GetState"] == 3


def test_retries_are_bounded_and_end_in_unavailable(client: Client, service: Scripted) -> None:
    service.failures = 100
    with pytest.raises(Unavailable, match="not yet; check that the service runs"):
        client.state("ada", timeout=10)
    assert service.calls["GetState"] == 4


def test_a_change_whose_answer_was_lost_is_applied_once(client: Client, service: Scripted) -> None:
    service.fail_after_applying = 2
    assert client.apply("ada", reward=0.8).version == 1
    assert service.calls["ApplyStimuli"] == 3
    assert len(service.applied) == 1


def test_each_change_gets_a_request_id_of_its_own_and_a_given_one_is_kept(client: Client, service: Scripted) -> None:
    for request_id in ("", "", "mine"):
        client.apply("ada", reward=0.8, request_id=request_id)
    ids = [request.request_id for request in service.requests]
    assert len(set(ids)) == 3
    assert all(ids)
    assert ids[2] == "mine"


def test_a_second_sending_of_a_request_id_says_it_is_a_duplicate(client: Client) -> None:
    sent = [client.apply_stimuli("ada", [Signals(reward=1)], request_id="one") for _ in range(2)]
    assert [response.duplicate for response in sent] == [False, True]


def test_a_deletion_is_never_sent_twice(client: Client, service: Scripted) -> None:
    service.failures = 1
    with pytest.raises(Unavailable):
        client.delete_session("ada")
    assert service.calls["DeleteSession"] == 1


def test_a_session_made_without_an_id_keeps_its_id_over_retries(client: Client, service: Scripted) -> None:
    service.failures = 1
    made = client.create_session()
    assert made.session_id
    assert {(r.session_id, r.request_id) for r in service.requests} == {
        (made.session_id, service.requests[0].request_id)
    }


def test_a_call_without_an_answer_ends_at_the_deadline_of_its_kind(target: str) -> None:
    with (
        Client(target, deadlines=Deadlines(read=0.1)) as client,
        pytest.raises(DeadlineExceeded, match="give `timeout` more seconds"),
    ):
        client.state("slow")


def test_a_calls_own_timeout_wins_over_the_clients_deadline(target: str) -> None:
    with Client(target, deadlines=Deadlines(read=600)) as client, pytest.raises(DeadlineExceeded):
        client.state("slow", timeout=0.1)


@pytest.mark.parametrize("seconds", [float("inf"), 1e12, 10**30])
def test_a_call_may_wait_without_an_end(target: str, seconds: float) -> None:
    with Client(target, deadlines=Deadlines(update=seconds)) as client:
        assert client.state("ada", timeout=seconds).session_id == "ada"
        assert client.apply("ada", reward=0.8).version == 1


@pytest.mark.parametrize("seconds", [float("nan"), -1, float("-inf")])
def test_a_timeout_that_is_none_is_refused_unsent(client: Client, service: Scripted, seconds: float) -> None:
    with pytest.raises(ValueError, match="`timeout` must be a number of seconds, 0 or more; got"):
        client.state("ada", timeout=seconds)
    with pytest.raises(ValueError, match="the deadline `work` must be a number of seconds, 0 or more; got"):
        Deadlines(work=seconds)
    assert not service.requests


def test_a_closed_client_makes_no_calls_and_says_so(client: Client) -> None:
    client.close()
    with pytest.raises(ValueError, match="the client is closed"):
        client.state("ada")
    with pytest.raises(ValueError, match="the client is closed"):
        next(client.list_sessions())
    with client.watch("ada") as watch, pytest.raises(ValueError, match="the client is closed"):
        next(iter(watch))
    with client.stream("ada") as stream, pytest.raises(ValueError, match="the client is closed"):
        next(stream)
    with pytest.raises(ValueError, match="the client is closed"), client.converse("ada", "hello"):
        pass


async def test_a_closed_asyncio_client_makes_no_calls_and_says_so(target: str) -> None:
    client = AsyncClient(target)
    await client.close()
    with pytest.raises(ValueError, match="the client is closed"):
        await client.state("ada")
    with pytest.raises(ValueError, match="the client is closed"):
        await anext(client.list_sessions())
    with pytest.raises(ValueError, match="the client is closed"):
        await anext(aiter(client.watch("ada")))
    async with client.stream("ada") as stream:
        with pytest.raises(ValueError, match="the client is closed"):
            await anext(stream)
    with pytest.raises(ValueError, match="the client is closed"):
        async with client.converse("ada", "hello"):
            pass


def test_an_error_carries_reason_and_facts_of_the_service(client: Client) -> None:
    with pytest.raises(NotFound, match="no session 'unknown'") as caught:
        client.state("unknown")
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert caught.value.reason == "SESSION_NOT_FOUND"
    assert caught.value.metadata == {"session_id": "unknown"}


def test_an_error_names_each_field_that_broke_a_rule(client: Client) -> None:
    with pytest.raises(InvalidArgument) as caught:
        client.apply("ada", reward=1.5)
    assert [(v.field, v.description) for v in caught.value.violations] == [
        ("stimuli[0].event.reward", "must be in [0, 1]")
    ]


def test_an_error_without_details_is_raised_by_its_status(client: Client) -> None:
    with pytest.raises(AlreadyExists, match="'taken' exists already"):
        client.create_session("taken")


def test_a_method_the_service_does_not_have_is_unimplemented(client: Client) -> None:
    with pytest.raises(Unimplemented):
        client.get_job("one")


def test_nobody_at_the_target_is_unavailable() -> None:
    with Client(nowhere()) as client, pytest.raises(Unavailable, match="emotional-ai serve"):
        client.state("ada", timeout=10)


def test_a_message_beyond_the_limit_is_refused_with_what_to_do(client: Client, service: Scripted) -> None:
    with pytest.raises(ResourceExhausted, match="send less in one message"):
        client.apply("ada", Stimulus(note="x" * (5 * 1024 * 1024)))
    assert service.calls["ApplyStimuli"] == 0


def test_an_unknown_signal_is_refused_by_name_before_anything_is_sent(client: Client, service: Scripted) -> None:
    with pytest.raises(InvalidArgument, match="rewrad: is not a signal; the signals are reward, novelty"):
        client.apply("ada", rewrad=0.8)  # type: ignore[call-arg]
    assert not service.requests


def test_a_list_fetches_page_after_page(client: Client, service: Scripted) -> None:
    assert [one.session_id for one in client.list_sessions(page_size=2)] == ["s0", "s1", "s2", "s3", "s4"]
    assert service.calls["ListSessions"] == 3


def test_the_json_of_an_export_can_be_imported_without_loss(client: Client, service: Scripted) -> None:
    text = client.export_json("ada")
    for written in (text, f"\ufeff{text}"):
        assert client.import_json(written, session_id="copy").session_id == "copy"
        assert service.requests[-1].session == client.export_session("ada")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{", "line 1 column 2"),
        ("[]", "which is an object"),
        ("null", "which is an object"),
        ("", "which is an object"),
        ('{"entries": [{"sequence": "many"}]}', "entries field: Failed to parse sequence field"),
        ('{"surplus": 1}', "surplus"),
        ("[" * 100_000, "JSON of an export"),
        ('{"format": "\\ud800"}', "JSON of an export"),
    ],
)
def test_malformed_json_is_refused_saying_where(client: Client, text: str, where: str) -> None:
    with pytest.raises(InvalidArgument, match=where) as caught:
        client.import_json(text)
    assert caught.value.reason == "MALFORMED_JSON"


def test_a_token_is_sent_with_every_call(target: str, service: Scripted) -> None:
    with Client(target, token="secret") as client:
        client.state("ada")
    assert service.metadata["authorization"] == "Bearer secret"


@pytest.mark.parametrize("make", [Client, AsyncClient])
async def test_a_token_never_crosses_a_network_in_the_clear(make: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="unencrypted"):
        make("service.example:50051", token="secret")


async def test_the_asyncio_client_reads_and_changes_with_the_same_retries(target: str, service: Scripted) -> None:
    async with AsyncClient(target) as client:
        service.fail_after_applying = 1
        assert (await client.apply("ada", reward=0.8)).version == 1
        service.failures = 2
        assert (await client.state("ada")).version == 1
        assert [one.session_id async for one in client.list_sessions(page_size=4)] == ["s0", "s1", "s2", "s3", "s4"]


async def test_the_asyncio_client_raises_the_same_errors(target: str) -> None:
    async with AsyncClient(target) as client:
        with pytest.raises(NotFound) as caught:
            await client.state("unknown")
        assert caught.value.reason == "SESSION_NOT_FOUND"
        with pytest.raises(InvalidArgument) as refused:
            await client.apply("ada", reward=1.5)
        assert refused.value.violations[0].field == "stimuli[0].event.reward"
        with pytest.raises(DeadlineExceeded):
            await client.state("slow", timeout=0.1)
