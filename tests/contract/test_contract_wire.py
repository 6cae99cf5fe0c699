"""What a stranger with standard tools meets: health, reflection, calls and errors without any code of ours."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from loopback import PATIENCE, hosted, service

from emotional_ai_service.server import ENGINE, INFERENCE, TRAINING

BUF = Path(sys.executable).with_name("buf")
NAMES = [one.full_name for one in (ENGINE, INFERENCE, TRAINING)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as address:
        yield address


def curl(address: str, rpc: str, request: Mapping[str, object]) -> "subprocess.CompletedProcess[str]":
    url = f"http://{address}/emotional_ai.v1.EmotionEngine/{rpc}"
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", json.dumps(request), url]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_call_by_a_standard_tool_is_answered(address: str) -> None:
    done = curl(address, "CreateSession", {"sessionId": "ada"})
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["session"]["state"]["version"] == "1"
    assert answer["session"]["config"]["dynamics"]["baseline"]["serotonin"] == 0.6


def test_an_error_reads_well_in_a_standard_tool(address: str) -> None:
    done = curl(address, "GetState", {"sessionId": "nobody"})
    assert done.returncode != 0
    told = json.loads(done.stderr)
    assert told["code"] == "not_found"
    assert "nobody" in told["message"]
    assert [one["type"] for one in told["details"]] == ["google.rpc.ErrorInfo"]


def test_a_broken_rule_reads_well_in_a_standard_tool(address: str) -> None:
    request = {"sessionId": "ada", "stimuli": [{"event": {"reward": 1.5}}]}
    told = json.loads(curl(address, "ApplyStimuli", request).stderr)
    assert told["code"] == "invalid_argument"
    assert "stimuli[0].event.reward" in told["message"]
    assert "google.rpc.BadRequest" in [one["type"] for one in told["details"]]


@pytest.mark.parametrize("name", ["", *NAMES])
def test_health_tells_what_is_served(address: str, name: str) -> None:
    """An engine without language is there and says that it does not serve; training needs no model in the service."""
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE)
    serves = name != "emotional_ai.v1.Inference"
    wanted = health_pb2.HealthCheckResponse.SERVING if serves else health_pb2.HealthCheckResponse.NOT_SERVING
    assert answer.status == wanted


def test_health_turns_before_the_service_ends() -> None:
    with hosted() as running, grpc.insecure_channel(running.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watched = health.Watch(health_pb2.HealthCheckRequest(service=ENGINE.full_name), timeout=PATIENCE)
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        running.stop()
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watched.cancel()


def test_the_services_can_be_discovered(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        (answer,) = stub.ServerReflectionInfo(asked, timeout=PATIENCE)
    assert {*NAMES, "grpc.health.v1.Health"} <= {one.name for one in answer.list_services_response.service}
