"""What being observed costs: GetState and ApplyStimuli of services with metrics, a log and traces, against one with none.

    python benchmarks/observing.py [--quick] [--json]

The services, all in memory, take turns on one core; h2load, on another, keeps 32 calls in flight on 4 connections. `plain` is
there twice: the second tells how far two equal services differ. A ratio is that of one round, and the median of the rounds is
told, of calls per second and of the server's processor time per call (less is better in neither: 1 is no cost, 0.9 a tenth).
Traces go to a collector on the other core, which takes them and looks at nothing. `info` logs no call that went well.
"""

from collections.abc import Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

import grpc
from apparatus import load, outcome
from apparatus.rounds import Plan, beside, in_turns
from apparatus.servers import Server, keep_off_the_server
from apparatus.servers import service as service_server

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc

SESSION: Final = "bench"
SERVICE: Final = "/emotional_ai.v1.EmotionEngine/"
REQUESTS: Final = {
    "GetState": pb.GetStateRequest(session_id=SESSION).SerializeToString(),
    "ApplyStimuli": pb.ApplyStimuliRequest(
        session_id=SESSION, stimuli=[pb.Stimulus(event=pb.Signals(reward=0.4, social_warmth=0.2))]
    ).SerializeToString(),
}
PLAIN: Final = "plain"
FULL: Final = Plan(rounds=9, calls=20_000)
QUICK: Final = Plan(rounds=5, calls=3_000)


@contextmanager
def collector() -> Iterator[str]:
    """The URL of a collector that takes whatever comes."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    export = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")
    handler = grpc.method_handlers_generic_handler(
        "opentelemetry.proto.collector.trace.v1.TraceService", {"Export": export}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def begin(server: Server) -> None:
    """Makes the session the calls are for."""
    with grpc.insecure_channel(server.address) as channel:
        engine_pb2_grpc.EmotionEngineStub(channel).CreateSession(pb.CreateSessionRequest(session_id=SESSION))


def measure(plan: Plan) -> outcome.Result:
    """Every service in every round, in turns."""
    with ExitStack() as stack:
        url = stack.enter_context(collector())
        metrics = ("--metrics", "127.0.0.1:0")
        services = {
            PLAIN: (),
            "plain again": (),
            "metrics": metrics,
            "log info": ("--log", "json", "--log-level", "info"),
            "metrics, log": (*metrics, "--log", "json", "--log-level", "info"),
            "traces": ("--otlp", url),
        }
        servers = {name: stack.enter_context(service_server("memory", flags=flags)) for name, flags in services.items()}
        keep_off_the_server()
        for server in servers.values():
            begin(server)
            for method, request in REQUESTS.items():
                load.unary(server, SERVICE + method, request, plan.calls // 2)
        bursts = {
            (name, method): partial(load.unary, server, SERVICE + method, request)
            for name, server in servers.items()
            for method, request in REQUESTS.items()
        }
        rounds = in_turns(bursts, plan)
    return {
        "rounds": plan.rounds,
        "calls_a_round": plan.calls,
        "services": [
            {"service": name, "method": method, **beside(seen, rounds[PLAIN, method])}
            for (name, method), seen in rounds.items()
        ],
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(measure(QUICK if flags.quick else FULL), only_json=flags.json)


if __name__ == "__main__":
    main()
