"""Every rpc of the emotion engine answers through the clients, and those not served say so."""

from collections.abc import Callable, Iterator

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from loopback import PATIENCE, service
from wire_client import refused

from emotional_ai import AsyncClient, Client, Signals, Unimplemented
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.server import ENGINE, INFERENCE, TRAINING
from emotional_ai_service.servicers import EmotionEngineServicer, InferenceServicer, TrainingServicer

SERVED = ((ENGINE, EmotionEngineServicer), (INFERENCE, InferenceServicer), (TRAINING, TrainingServicer))
ABSENT = [method for service, servicer in SERVED for method in service.methods if method.name not in vars(servicer)]
"""Methods of the contract that a servicer only inherits."""


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


@pytest.mark.parametrize("method", ABSENT, ids=lambda method: method.full_name)
def test_what_is_not_served_says_so(address: str, method: MethodDescriptor) -> None:
    error = refused(lambda: called(address, method))
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
