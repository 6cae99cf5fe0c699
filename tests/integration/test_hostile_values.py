"""Values that broke the service once: numbers, moments and names at the edge of what a type holds."""

from collections.abc import Iterator

import grpc
import pytest
from loopback import service
from wire_client import fields, refused, stub

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import training_pb2
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai.v1.training_pb2_grpc import TrainingStub

NO_MOMENTS = [(2**63 - 1, 0), (-(2**63), 0), (1_700_000_000, -1), (253_402_300_800, 0)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as address:
        yield address


@pytest.fixture(scope="module")
def engine(address: str) -> Iterator[EmotionEngineStub]:
    with stub(address) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        config = pb.SessionConfig(dynamics=pb.DynamicsConfig(mood=pb.MoodConfig()))
        client.create_session("ada", config=config)
        client.apply("ada", reward=0.5)
        yield client


@pytest.mark.parametrize(("seconds", "nanos"), NO_MOMENTS)
def test_a_moment_that_cannot_be_shown_is_refused_wherever_one_is_named(
    client: Client, engine: EmotionEngineStub, seconds: int, nanos: int
) -> None:
    requests = [
        ("at", engine.GetState, pb.GetStateRequest(session_id="ada")),
        ("start", engine.GetHistory, pb.GetHistoryRequest(session_id="ada")),
        ("end", engine.Explain, pb.ExplainRequest(session_id="ada")),
        ("end", engine.ReplayCounterfactual, pb.ReplayCounterfactualRequest(session_id="ada", without_sequences=[2])),
    ]
    for field, call, request in requests:
        moment = getattr(request, field)
        moment.seconds, moment.nanos = seconds, nanos
        assert fields(refused(lambda: call(request))) == [field]  # noqa: B023


@pytest.mark.parametrize("mood", [1e308, -1e308, 101.0])
def test_a_mood_no_session_can_have_is_refused(client: Client, engine: EmotionEngineStub, mood: float) -> None:
    wrong = pb.ChemicalVector(oxytocin=mood)
    asked = pb.SimulateRequest(config=pb.DynamicsConfig(mood=pb.MoodConfig()), initial_mood=wrong, times=[5])
    assert fields(refused(lambda: engine.Simulate(asked))) == ["initial_mood.oxytocin"]
    state = client.state("ada")
    continued = pb.SessionContinued(
        config=client.get_session("ada").config,
        created_at=state.time,
        chemistry=state.chemistry,
        mood=wrong,
        label=state.label,
    )
    entries = [pb.LogEntry(sequence=2, time=state.time, continued=continued)]
    export = pb.SessionExport(format="emotional-ai/session/1", session_id="eve", entries=entries)
    assert fields(refused(lambda: client.import_session(export))) == ["session.entries[0].continued.mood.oxytocin"]


@pytest.mark.parametrize("path", ["\U0001f600" * 1000, "a" * 4096, "/" * 4096, "a\0b", "../" * 1000])
def test_a_file_of_data_that_cannot_be_one_is_refused_by_name(address: str, path: str) -> None:
    asked = training_pb2.StartJobRequest(recipe=training_pb2.RECIPE_ALL)
    asked.config.data_path = path
    with grpc.insecure_channel(address) as channel:
        start = TrainingStub(channel).StartJob
        assert fields(refused(lambda: start(asked))) == ["config.data_path"]


def test_signals_sustained_for_no_time_worth_telling_are_explained(client: Client) -> None:
    client.create_session("brief")
    client.sustain("brief", threat=0.5, minutes=5e-324)
    assert client.explain("brief").after.session_id == "brief"
