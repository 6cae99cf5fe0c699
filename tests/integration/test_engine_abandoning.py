"""Computations of many seconds whose clients have left, or whose service is to stop, hold up nobody."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from loopback import PATIENCE, service, service_process

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

LONG = pb.SimulateRequest(
    config=pb.DynamicsConfig(mood=pb.MoodConfig(), circadian=pb.CircadianConfig(), time_scale=1e4),
    times=[62_500.0 * index for index in range(1, 150)],
)
"""Takes twenty seconds of a processor."""
MANY = 16
"""Of them at once: more than there are threads, minutes of work in all."""


@contextmanager
def calling(address: str, seconds: float) -> Iterator[tuple[engine_pb2_grpc.EmotionEngineStub, list[grpc.Future]]]:
    """The service's stub, and many long calls to it, each given up by its client after so many seconds."""
    with ExitStack() as stack:
        channel = stack.enter_context(grpc.insecure_channel(address))
        stub = engine_pb2_grpc.EmotionEngineStub(channel)
        yield stub, [stub.Simulate.future(LONG, timeout=seconds) for _ in range(MANY)]


def test_what_clients_left_behind_does_not_keep_the_next_waiting() -> None:
    with service() as address, calling(address, 1.0) as (stub, calls):
        for call in calls:
            with pytest.raises(grpc.RpcError) as ended:
                call.result(PATIENCE)
            assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len(stub.Simulate(pb.SimulateRequest(times=[60.0]), timeout=PATIENCE / 2).samples) == 1


def test_sessions_are_made_and_read_while_every_thread_computes() -> None:
    with service() as address, calling(address, PATIENCE) as (stub, calls):
        request = pb.CreateSessionRequest(session_id="ada")
        assert stub.CreateSession(request, timeout=PATIENCE / 2).session.session_id == "ada"
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()


def test_a_service_told_to_stop_does_not_finish_what_takes_minutes() -> None:
    with service_process() as served, calling(served.address, 10 * PATIENCE) as (stub, _):
        stub.ListSessions(pb.ListSessionsRequest(), timeout=PATIENCE)
        assert served.terminate() == 0
