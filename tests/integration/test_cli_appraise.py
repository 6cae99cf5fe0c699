"""`appraise` against a service that refuses some of its lines."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from loopback import PATIENCE

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1.inference_pb2_grpc import InferenceServicer, add_InferenceServicer_to_server


class Picky(InferenceServicer):
    """Refuses a request that holds the text "unreadable", whatever else it holds."""

    def Appraise(self, request: pb.AppraiseRequest, context: grpc.ServicerContext) -> pb.AppraiseResponse:
        if "unreadable" in request.texts:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "texts: one cannot be read")
        return pb.AppraiseResponse(appraisals=[pb.Appraisal(classified=True) for _ in request.texts])


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    add_InferenceServicer_to_server(Picky(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait(PATIENCE)


def test_a_refused_line_takes_no_other_with_it(address: str) -> None:
    lines = ["a", "unreadable", "", "b", "unreadable", "c", "d"]
    command = (sys.executable, "-m", "emotional_ai", "--target", address, "appraise")
    ran = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, timeout=PATIENCE, check=False)
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["text"] for one in told] == lines
    assert [one["text"] for one in told if one.get("classified")] == ["a", "b", "c", "d"]
    assert [one.get("error") for one in told if one["text"] == "unreadable"] == [
        f"line {number} was refused: texts: one cannot be read" for number in (2, 5)
    ]
    assert ran.returncode == 1
    assert ran.stderr.endswith("error: 2 of 7 lines could not be appraised: 2, 5\n")
