"""The log of real services: a call found by the name its client gave it, incidents by their ids, no word of what was said."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from loopback import service_process
from observing import logged

from emotional_ai import AsyncClient, Client, Internal, NotFound
from emotional_ai.v1 import engine_pb2, engine_pb2_grpc, inference_pb2, inference_pb2_grpc
from emotional_ai_service.guard import guard
from emotional_ai_service.observing import LogFormat, LogLevel, LogSettings, ObservingSettings
from emotional_ai_service.observing.observation import Observation
from emotional_ai_service.server import ENGINE, INFERENCE
from emotional_ai_service.validation import check
from emotional_ai_service.workers import Worker, WorkerFault, WorkerSpec

LOG = LogSettings(LogFormat.JSON, LogLevel.DEBUG)
SUPPORT = Path(__file__).parent.parent / "support"
SAID = "nobody may read that I was afraid"


class Failing(inference_pb2_grpc.InferenceServicer):
    """Fails as no servicer should, with what it was told in the message."""

    async def Appraise(self, request: inference_pb2.AppraiseRequest, context: Any) -> inference_pb2.AppraiseResponse:
        raise RuntimeError(f"no idea what to make of {request.texts[0]!r}")


class FailingEngine(engine_pb2_grpc.EmotionEngineServicer):
    """The same of a stream, at its second message."""

    async def StreamState(self, request_iterator: AsyncIterator[engine_pb2.StreamStateRequest], context: Any) -> None:
        requests = aiter(request_iterator)
        opened, second = await anext(requests), await anext(requests)
        raise RuntimeError(f"{opened.open.session_id!r} was told {second.batch.stimuli[0].note!r}")


@asynccontextmanager
async def failing_service() -> AsyncIterator[str]:
    server, observation = grpc.aio.server(), Observation(ObservingSettings(log=LOG), None)
    speaking = observation.around(guard(Failing(), INFERENCE, check), INFERENCE)
    inference_pb2_grpc.add_InferenceServicer_to_server(speaking, server)
    feeling = observation.around(guard(FailingEngine(), ENGINE, check), ENGINE)
    engine_pb2_grpc.add_EmotionEngineServicer_to_server(feeling, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def test_an_incident_is_found_in_the_log_with_its_call_and_without_what_was_said() -> None:
    with logged(LOG) as log:
        async with failing_service() as address, AsyncClient(address) as client:
            with pytest.raises(Internal) as failure:
                await client.appraise(SAID)
            ended = await log.until(code="INTERNAL")
    incident = failure.value.metadata["incident"]
    (found,) = [line for line in log.lines if incident in line["message"]]
    assert found["method"] == "Inference/Appraise"
    assert found["level"] == "ERROR"
    assert "RuntimeError: no idea what to make of '<text>'" in found["exception"]
    assert [line for line in log.lines if line.get("code") == "INTERNAL"] == [ended]
    assert ended["request_id"] == found["request_id"]
    assert "afraid" not in log.text


async def test_a_stream_that_fails_leaves_neither_its_notes_nor_its_session_in_the_log() -> None:
    note = engine_pb2.Stimulus(event=engine_pb2.Signals(reward=0.5), note=SAID)
    messages = [
        engine_pb2.StreamStateRequest(open=engine_pb2.StreamOpen(session_id="wilhelmina")),
        engine_pb2.StreamStateRequest(batch=engine_pb2.StimulusBatch(number=1, stimuli=[note])),
    ]
    with logged(LOG) as log:
        async with failing_service() as address, grpc.aio.insecure_channel(address) as channel:
            call = engine_pb2_grpc.EmotionEngineStub(channel).StreamState(iter(messages))
            named = dict(await call.initial_metadata())["x-request-id"]
            assert await call.code() is grpc.StatusCode.INTERNAL
            await log.until(code="INTERNAL")
    (failed,) = [line for line in log.lines if "exception" in line]
    assert failed["request_id"] == named
    assert "'<session>' was told '<text>'" in failed["exception"]
    assert "wilhelmina" not in log.text
    assert "afraid" not in log.text


def raw_call(address: str, request_id: str) -> tuple[grpc.StatusCode, dict[str, str | bytes]]:
    """GetState of a session that is not there, under a name of the client's; how it ended, and what came with that."""
    with grpc.insecure_channel(address) as channel:
        get = channel.unary_unary(
            "/emotional_ai.v1.EmotionEngine/GetState",
            request_serializer=engine_pb2.GetStateRequest.SerializeToString,
            response_deserializer=engine_pb2.GetStateResponse.FromString,
        )
        with pytest.raises(grpc.RpcError) as refused:
            get(engine_pb2.GetStateRequest(session_id="nobody"), metadata=(("x-request-id", request_id),), timeout=30)
        return refused.value.code(), dict(refused.value.trailing_metadata())


def test_a_command_logs_in_json_and_tells_each_caller_the_name_of_the_call(tmp_path: Path) -> None:
    with service_process("--engine-only", "--log", "json", "--log-level", "debug", db=tmp_path / "s.db") as served:
        code, told = raw_call(served.address, "mine-17")
        with Client(served.address) as client:
            client.create_session("quiet")
            with pytest.raises(NotFound):
                client.state("nobody")
        assert served.terminate() == 0
        assert served.process.stderr is not None
        lines = [json.loads(line) for line in served.process.stderr.read().splitlines()]
    assert code is grpc.StatusCode.NOT_FOUND
    assert told["x-request-id"] == "mine-17"
    assert "grpc-status-details-bin" in told
    (mine,) = [line for line in lines if line.get("request_id") == "mine-17"]
    assert (mine["level"], mine["code"], mine["method"]) == ("INFO", "NOT_FOUND", "EmotionEngine/GetState")
    assert {"time", "level", "logger", "message", "request_id", "method"} <= mine.keys()
    created = [line for line in lines if line.get("method") == "EmotionEngine/CreateSession"]
    assert [(line["level"], line["code"]) for line in created] == [("DEBUG", "OK")]
    assert "quiet" not in json.dumps(lines)
    assert len({line["request_id"] for line in lines if "request_id" in line}) == 3


def test_bytes_that_are_no_message_are_a_callers_mistake_and_one_line_where_calls_are_logged(tmp_path: Path) -> None:
    with service_process("--engine-only", "--log", "json", db=tmp_path / "s.db") as served:
        with grpc.insecure_channel(served.address) as channel:
            for method in ENGINE.methods:
                path = f"/{ENGINE.full_name}/{method.name}"
                if method.client_streaming:
                    answers = channel.stream_stream(path)(iter([b"\xff"]), timeout=30)
                else:
                    answers = channel.unary_stream(path)(b"\xff", timeout=30)
                with pytest.raises(grpc.RpcError) as refused:
                    list(answers)
                assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, method.name
        assert served.terminate() == 0
        assert served.process.stderr is not None
        lines = [json.loads(line) for line in served.process.stderr.read().splitlines()]
    assert [line["code"] for line in lines if "code" in line] == ["INVALID_ARGUMENT"] * len(ENGINE.methods)


@pytest.mark.parametrize("settings", [LOG, None])
async def test_a_process_of_a_model_logs_as_the_service_does_and_never_what_it_was_told(
    settings: LogSettings | None,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))  # the child imports its target from there
    spec = WorkerSpec("test worker", "worker_targets:counting", tmp_path / "journal", log=settings)
    async with Worker[object, object](spec) as worker:
        with pytest.raises(WorkerFault, match="afraid"):
            async with aclosing(worker.request(SAID)) as events:
                await anext(events)
    told = capfd.readouterr().err
    assert "afraid" not in told
    if settings is None:
        assert told.startswith("a request failed\n  File")
        assert "ZeroDivisionError" in told
    else:
        (failed,) = [line for line in map(json.loads, told.splitlines()) if line["message"] == "a request failed"]
        assert failed["exception"].endswith("ZeroDivisionError")
