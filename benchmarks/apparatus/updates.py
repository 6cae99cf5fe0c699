"""Updates of one session, and the proof that each was applied once: h2load counts errors as answers."""

from typing import Final

import grpc

from apparatus import load
from apparatus.servers import Server
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

SESSION: Final = "bench"
METHOD: Final = "/emotional_ai.v1.EmotionEngine/ApplyStimuli"
REQUEST: Final = pb.ApplyStimuliRequest(
    session_id=SESSION, stimuli=[pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))]
).SerializeToString()


def burst(server: Server, calls: int, token: str = "") -> load.Throughput:
    """A run of updates. Raises RuntimeError where the service did not apply each of them exactly once."""
    before = _version(server, token)
    seen = load.unary(server, METHOD, REQUEST, calls, token)
    applied = _version(server, token) - before
    if applied != calls:
        raise RuntimeError(f"{calls} calls were answered, {applied} stimuli applied")
    return seen


def _version(server: Server, token: str) -> int:
    """Version of the session, made at the first call."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    with grpc.insecure_channel(server.address) as channel:
        engine = engine_pb2_grpc.EmotionEngineStub(channel)
        try:
            return engine.GetState(pb.GetStateRequest(session_id=SESSION), metadata=metadata).state.version
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            asked = pb.CreateSessionRequest(session_id=SESSION)
            return engine.CreateSession(asked, metadata=metadata).session.state.version
