"""A service with tokens over loopback: every rpc passes the gate, and who calls is known wherever it is asked."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from issuing import Issuer, id_in
from loopback import PATIENCE, service

from emotional_ai import Client, EmotionalAIError
from emotional_ai.errors import InvalidArgument, NotFound, PermissionDenied, ResourceExhausted, Unauthenticated, raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc, inference_pb2, training_pb2
from emotional_ai_service.access import REFLECTION, SCOPES, Gate
from emotional_ai_service.access.guesses import BURST
from emotional_ai_service.access.keyring import Keyring
from emotional_ai_service.access.token import written
from emotional_ai_service.callers import Scope, caller
from emotional_ai_service.guard import Context, guard
from emotional_ai_service.server import ENGINE

FILES = (pb.DESCRIPTOR, inference_pb2.DESCRIPTOR, training_pb2.DESCRIPTOR)
METHODS = {
    method.full_name: method
    for service in (*(one for file in FILES for one in file.services_by_name.values()), REFLECTION)
    for method in service.methods
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one scope each, and of all the others."""

    issuer: Issuer
    only: dict[Scope, str] = field(default_factory=dict)
    without: dict[Scope, str] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path) -> "Tokens":
        tokens = cls(Issuer.at(path))
        lesser = [scope for scope in Scope if scope is not Scope.ADMIN]
        for scope in Scope:
            tokens.only[scope] = tokens.issuer.add(scope)
            tokens.without[scope] = tokens.issuer.add(*(one for one in lesser if one is not scope))
        return tokens


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens.at(tmp_path_factory.mktemp("tokens") / "tokens.json")


@pytest.fixture(scope="module")
def address(tokens: Tokens) -> Iterator[str]:
    with service(tokens.issuer.settings()) as address:
        yield address


@pytest.fixture(scope="module")
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address, (("grpc.enable_retries", 0),)) as channel:
        yield channel


def ended(channel: grpc.Channel, method: MethodDescriptor, *metadata: tuple[str, str]) -> EmotionalAIError | None:
    """How an empty call of a method ends; None for an answer."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    request, forms = GetMessageClass(method.input_type)(), _forms(method)
    try:
        if method.client_streaming:
            list(channel.stream_stream(path, **forms)(iter([request]), metadata=metadata, timeout=PATIENCE))
        elif method.server_streaming:
            list(channel.unary_stream(path, **forms)(request, metadata=metadata, timeout=PATIENCE))
        else:
            channel.unary_unary(path, **forms)(request, metadata=metadata, timeout=PATIENCE)
    except grpc.RpcError as error:
        return raised(error)
    return None


def _forms(method: MethodDescriptor) -> dict[str, object]:
    return {
        "request_serializer": GetMessageClass(method.input_type).SerializeToString,
        "response_deserializer": GetMessageClass(method.output_type).FromString,
    }


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


@pytest.mark.parametrize("name", METHODS)
def test_every_rpc_asks_for_a_token_and_for_its_scope(channel: grpc.Channel, tokens: Tokens, name: str) -> None:
    scope = SCOPES[name]
    for metadata, kind, reason in (
        ((), Unauthenticated, "NO_TOKEN"),
        ((bearer(tokens.without[scope]),), PermissionDenied, "SCOPE_MISSING"),
    ):
        refused = ended(channel, METHODS[name], *metadata)
        assert refused is not None
        assert (type(refused), refused.reason) == (kind, reason)
    assert refused.metadata == {"scope": scope.value, "token_id": id_in(tokens.without[scope])}
    for let_in in (tokens.only[scope], tokens.only[Scope.ADMIN]):
        assert not isinstance(ended(channel, METHODS[name], bearer(let_in)), Unauthenticated | PermissionDenied)


def test_health_is_told_to_everybody(channel: grpc.Channel) -> None:
    told = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=ENGINE.full_name))
    assert told.status == health_pb2.HealthCheckResponse.SERVING


def test_a_client_with_a_token_works_and_its_error_names_the_scope_it_lacks(address: str, tokens: Tokens) -> None:
    with (
        Client(address, token=tokens.only[Scope.WRITE]) as writing,
        Client(address, token=tokens.only[Scope.READ]) as reading,
    ):
        writing.create_session("ada")
        assert reading.state("ada").session_id == "ada"
        with pytest.raises(PermissionDenied, match=r"lacks the scope 'write'.*--scope write"):
            reading.apply("ada", reward=0.5)
    with (
        Client(address) as nobody,
        pytest.raises(Unauthenticated, match=r"EMOTIONAL_AI_TOKEN.*emotional-ai tokens add"),
    ):
        nobody.state("ada")


def test_an_admin_acts_for_the_tenant_it_names_and_nobody_else_does(channel: grpc.Channel, tokens: Tokens) -> None:
    engine = engine_pb2_grpc.EmotionEngineStub(channel)
    admin = bearer(tokens.only[Scope.ADMIN])
    request = pb.CreateSessionRequest(session_id="of-another")
    engine.CreateSession(request, metadata=(admin, ("emotional-tenant", "umbrella")))
    look = METHODS["emotional_ai.v1.EmotionEngine.GetState"]
    state = pb.GetStateRequest(session_id="of-another")
    assert engine.GetState(state, metadata=(admin, ("emotional-tenant", "umbrella"))).state.session_id == "of-another"
    with pytest.raises(grpc.RpcError) as elsewhere:
        engine.GetState(state, metadata=(admin,))
    assert isinstance(raised(elsewhere.value), NotFound)
    refused = ended(channel, look, bearer(tokens.without[Scope.ADMIN]), ("emotional-tenant", "umbrella"))
    assert isinstance(refused, PermissionDenied)
    assert refused.metadata["scope"] == "admin"
    impossible = ended(channel, look, admin, ("emotional-tenant", "../up"))
    assert isinstance(impossible, InvalidArgument)
    assert [one.field for one in impossible.violations] == ["emotional-tenant"]


def test_guesses_are_told_to_wait_and_a_known_token_from_there_is_not(address: str, tokens: Tokens) -> None:
    seen: list[EmotionalAIError] = []
    with Client(address, token=written("00000000")) as client:
        for _ in range(BURST + 30):  # one a second is answered on top of the burst
            with pytest.raises(EmotionalAIError) as told:
                client.state("ada")
            seen.append(told.value)
    assert {(type(one), one.reason) for one in seen} == {
        (Unauthenticated, "TOKEN_UNKNOWN"),
        (ResourceExhausted, "TOKEN_GUESSING"),
    }
    assert isinstance(seen[-1], ResourceExhausted)
    assert 0 < (seen[-1].retry_after or 0) <= 1
    with Client(address, token=tokens.only[Scope.READ]) as client:
        list(client.list_sessions())


class Telling(engine_pb2_grpc.EmotionEngineServicer):
    """Tells who calls, from everywhere a servicer may ask."""

    async def GetState(
        self, request: pb.GetStateRequest, context: Context[pb.GetStateRequest, pb.GetStateResponse]
    ) -> pb.GetStateResponse:
        await asyncio.sleep(0)
        return pb.GetStateResponse(state=pb.EmotionalState(session_id=_who()))

    async def WatchState(
        self, request: pb.WatchStateRequest, context: Context[pb.WatchStateRequest, pb.WatchStateResponse]
    ) -> AsyncIterator[pb.WatchStateResponse]:
        for _ in range(3):
            who = await asyncio.create_task(_told())
            await asyncio.sleep(0)
            yield pb.WatchStateResponse(state=pb.EmotionalState(session_id=f"{_who()} {who}"))

    async def StreamState(  # type: ignore[override]
        self,
        requests: AsyncIterator[pb.StreamStateRequest],
        context: Context[pb.StreamStateRequest, pb.StreamStateResponse],
    ) -> None:
        async for _ in requests:
            who = await asyncio.create_task(_told())
            await context.write(pb.StreamStateResponse(state=pb.EmotionalState(session_id=f"{_who()} {who}")))


def _who() -> str:
    return f"{caller().tenant}/{caller().token_id}"


async def _told() -> str:
    return _who()


async def test_who_calls_holds_while_a_servicer_runs_however_many_run_at_once(tokens: Tokens) -> None:
    texts = {f"tenant-{n}": tokens.issuer.add(Scope.READ, Scope.WRITE, tenant=f"tenant-{n}") for n in range(8)}
    gate = Gate(Keyring(tokens.issuer.file.read()), lambda: 0)
    server = grpc.aio.server()
    engine_pb2_grpc.add_EmotionEngineServicer_to_server(guard(Telling(), ENGINE, lambda _: None, gate), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async def asked(who: str, text: str) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            engine, shown = engine_pb2_grpc.EmotionEngineStub(channel), (bearer(text),)
            state = await engine.GetState(pb.GetStateRequest(session_id="x"), metadata=shown)
            assert state.state.session_id == who
            watch = engine.WatchState(pb.WatchStateRequest(session_id="x"), metadata=shown)
            assert [one.state.session_id async for one in watch] == [f"{who} {who}"] * 3
            stream = engine.StreamState(iter([pb.StreamStateRequest()] * 3), metadata=shown)
            assert [one.state.session_id async for one in stream] == [f"{who} {who}"] * 3

    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for tenant, text in texts.items():
                group.create_task(asked(f"{tenant}/{id_in(text)}", text))
    finally:
        await server.stop(0)


def test_without_tokens_everybody_may_do_everything() -> None:
    with service() as address, Client(address) as client, Client(address, token="any") as told:
        client.create_session("ada")
        assert told.state("ada").session_id == "ada"
