"""Names that lead elsewhere lead nowhere: wherever the contract takes a name, it is one in a table, never a place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from hostile.inputs import NAMES
from loopback import hosted, in_file
from wire_client import StreamCall, event, refused, stub

from emotional_ai import Client, InvalidArgument, NotFound
from emotional_ai.errors import EmotionalAIError
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import inference_pb2, inference_pb2_grpc, training_pb2, training_pb2_grpc
from emotional_ai_service.settings import JobSettings, Settings

TRICKS = [name for name in NAMES if name and len(name) <= 128]
FINE = frozenset({"ADA"})
"""Names a session may have."""


@dataclass(frozen=True, slots=True)
class Served:
    """A service that keeps everything below a directory."""

    address: str
    root: Path

    def files(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("root")
    (root / "kept").mkdir()
    there = in_file(root / "kept" / "sessions.db")
    jobs = JobSettings(root / "kept" / "jobs", root / "kept" / "loras")
    with hosted(Settings(host=there.host, port=0, store=there.store, jobs=jobs)) as running:
        with Client(running.address) as client:
            client.create_session("ada")
        yield Served(running.address, root)


@pytest.mark.parametrize("name", TRICKS, ids=ascii)
def test_a_session_has_a_plain_name_or_none(served: Served, name: str) -> None:
    with Client(served.address) as client:
        if name in FINE or (name.isalnum() and name.isascii()) or name in {"nul.txt"}:
            assert client.create_session(name).session_id == name
            client.delete_session(name)
            return
        assert isinstance(refused(lambda: client.create_session(name)), InvalidArgument)
        assert isinstance(refused(lambda: client.state(name)), NotFound)
        assert isinstance(refused(lambda: client.delete_session(name)), NotFound)
        assert [one.session_id for one in client.list_sessions()] == ["ada"]


@pytest.mark.parametrize("name", TRICKS, ids=ascii)
def test_a_job_is_one_of_a_list(served: Served, name: str) -> None:
    with grpc.insecure_channel(served.address) as channel:
        training = training_pb2_grpc.TrainingStub(channel)
        for call, request in (
            (training.GetJob, training_pb2.GetJobRequest(job_id=name)),
            (training.CancelJob, training_pb2.CancelJobRequest(job_id=name)),
            (training.StartJob, training_pb2.StartJobRequest(recipe=training_pb2.RECIPE_ALL, resume_job_id=name)),
        ):
            assert isinstance(refused(lambda: call(request)), NotFound)  # noqa: B023
        page = training.ListJobs(training_pb2.ListJobsRequest(page_token=name))
        assert not page.jobs


@pytest.mark.parametrize("name", TRICKS, ids=ascii)
def test_an_adapter_is_one_of_a_list(served: Served, name: str) -> None:
    with grpc.insecure_channel(served.address) as channel:
        inference = inference_pb2_grpc.InferenceStub(channel)
        said = inference_pb2.ChatMessage(role=inference_pb2.ROLE_USER, content="hello")
        weight = inference_pb2.AdapterWeight(adapter=name, weight=1)
        explicit = inference_pb2.ExplicitExpression(chemistry=pb.Chemistry(), blend=[weight])
        error = refused(
            lambda: list(inference.Generate(inference_pb2.GenerateRequest(messages=[said], explicit=explicit)))
        )
        assert error.reason == "LANGUAGE_OFF"


@pytest.mark.parametrize("name", TRICKS, ids=ascii)
def test_a_token_or_a_request_id_may_be_anything_and_is_only_compared(served: Served, name: str) -> None:
    with Client(served.address) as client, stub(served.address) as engine:
        before = client.state("ada").version
        for _ in range(2):
            engine.ApplyStimuli(
                pb.ApplyStimuliRequest(session_id="ada", stimuli=[event(reward=0.01)], request_id=f"{name[:100]} once")
            )
        with StreamCall(engine) as call:
            assert call.open("ada", resume_token=name).resume_token == name
            call.batch(1, event(reward=0.01))
            call.stored(1)
        assert client.state("ada").version == before + 2
        assert len(engine.ListSessions(pb.ListSessionsRequest(page_token=name)).sessions) <= 1


def test_nothing_is_written_but_where_it_belongs(served: Served) -> None:
    before = served.files()
    with Client(served.address) as client:
        for name in TRICKS:
            for call in (client.create_session, client.export_json, client.delete_session):
                try:
                    call(name)
                except EmotionalAIError:
                    continue
    assert {path for path in served.files() - before if not path.startswith("kept/sessions.db")} == set()
