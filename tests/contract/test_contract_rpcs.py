"""Every rpc of the engine answers through the clients; all of the contract are served; one that was not would say so."""

import asyncio
from collections.abc import Callable, Iterator

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from loopback import PATIENCE, service
from wire_client import refused

from emotional_ai import AsyncClient, Client, Signals, Unimplemented
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import training_pb2_grpc
from emotional_ai_service.guard import guard
from emotional_ai_service.server import ENGINE, INFERENCE, TRAINING
from emotional_ai_service.servicers import EmotionEngineServicer, InferenceServicer, TrainingServicer
from emotional_ai_service.validation import check

SERVED = ((ENGINE, EmotionEngineServicer), (INFERENCE, InferenceServicer), (TRAINING, TrainingServicer))


class Empty(training_pb2_grpc.TrainingServicer):
    """Serves nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def streamed(client: Client) -> pb.EmotionalState:
    with client.stream("ada") as stream:
        stream.send(reward=0.5)
        return next(stream)


def watched(client: Client) -> pb.EmotionalState:
    with client.watch("ada") as watch:
        return next(iter(watch))


def deleted(client: Client) -> bool:
    client.create_session("grace")
    client.delete_session("grace")
    return "grace" not in [one.session_id for one in client.list_sessions()]


CALLS: dict[str, Callable[[Client], object]] = {
    "CreateSession": lambda client: client.create_session().session_id,
    "GetSession": lambda client: client.get_session("ada").config.dynamics.baseline.dopamine,
    "ListSessions": lambda client: [one for one in client.list_sessions() if one.session_id == "ada"],
    "UpdateSession": lambda client: client.update_session("ada", pb.SessionConfig()).config.dynamics.time_scale,
    "DeleteSession": deleted,
    "ResetSession": lambda client: client.reset_session("ada").version,
    "GetState": lambda client: client.state("ada").label,
    "ApplyStimuli": lambda client: client.apply("ada", praise=0.9).version,
    "StreamState": streamed,
    "WatchState": watched,
    "GetHistory": lambda client: client.history("ada", points=3).samples,
    "Explain": lambda client: client.explain("ada").signals,
    "ReplayCounterfactual": lambda client: client.counterfactual("ada", [2], points=2).counterfactual,
    "ExportSession": lambda client: client.export_session("ada").entries,
    "ImportSession": lambda client: client.import_json(client.export_json("ada"), session_id="copy").state.version,
    "Simulate": lambda client: client.simulate([0.0, 5.0], events=[pb.SimulatedEvent(signals=Signals(reward=1))]),
}


def test_the_calls_here_are_all_the_rpcs_of_the_engine() -> None:
    assert set(CALLS) == {method.name for method in ENGINE.methods}


@pytest.mark.parametrize("rpc", CALLS)
def test_every_rpc_of_the_engine_answers(rpc: str) -> None:
    with service() as address, Client(address) as client:
        client.create_session("ada")
        client.apply("ada", novelty=0.4)
        assert CALLS[rpc](client)


async def test_the_asyncio_client_reaches_the_same_session(address: str, client: Client) -> None:
    client.create_session("both")
    async with AsyncClient(address) as other:
        after = await other.apply("both", reward=0.8)
        async with other.stream("both") as stream:
            await stream.send(loss=0.5)
    assert client.state("both").version == after.version + 1


@pytest.mark.parametrize(("service", "servicer"), SERVED, ids=lambda one: getattr(one, "name", ""))
def test_every_rpc_of_the_contract_is_served(service: ServiceDescriptor, servicer: type) -> None:
    assert {method.name for method in service.methods} <= set(vars(servicer))


@pytest.mark.parametrize("method", list(TRAINING.methods), ids=lambda method: method.name)
async def test_what_a_service_does_not_serve_says_so(method: MethodDescriptor) -> None:
    server = grpc.aio.server()
    training_pb2_grpc.add_TrainingServicer_to_server(guard(Empty(), TRAINING, check), server)  # type: ignore[abstract]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        error = await asyncio.to_thread(refused, lambda: called(f"127.0.0.1:{port}", method))
    finally:
        await server.stop(None)
    assert isinstance(error, Unimplemented)
    assert method.full_name in str(error)
    assert "not served" in str(error)


def called(address: str, method: MethodDescriptor) -> object:
    """The first response of a method to an empty request, whatever kind of method it is."""
    request = message_factory.GetMessageClass(method.input_type)()
    path = f"/{method.containing_service.full_name}/{method.name}"
    with grpc.insecure_channel(address) as channel:
        if method.server_streaming:
            return next(channel.unary_stream(path)(request.SerializeToString(), timeout=PATIENCE))
        return channel.unary_unary(path)(request.SerializeToString(), timeout=PATIENCE)
