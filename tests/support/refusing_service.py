"""A service that ends calls with one status, or never answers them, over real gRPC: for tests of what its clients say then."""

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from loopback import PATIENCE

from emotional_ai.v1 import status_pb2 as pb

MESSAGE = "the cat sat on the server"
"""What the service says for itself."""
ROUNDED_UP = 1.01
"""gRPC sends a deadline as a timeout of a few digits, rounded up."""


@dataclass
class Refusal:
    """How calls end."""

    code: grpc.StatusCode | None
    """None leaves them without an answer."""
    reason: str = ""
    """Sent as google.rpc.ErrorInfo, unless empty."""
    retry_seconds: int = 0
    """Sent as google.rpc.RetryInfo, unless 0."""
    of: Collection[str] = ()
    """Methods that end so, by name; all if empty."""
    asked: list[str] = field(default_factory=list)
    """Methods that were called, in order."""
    called: threading.Event = field(default_factory=threading.Event)
    """Set once any was."""
    seconds: list[float] = field(default_factory=list)
    """How long each call would wait, in the same order."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, method: str, seconds: float) -> None:
        """Notes a call."""
        with self._lock:
            self.asked.append(method)
            self.seconds.append(seconds)
        self.called.set()

    def concerns(self, method: str) -> bool:
        """Whether a method ends so."""
        return not self.of or method in self.of

    def status(self, code: grpc.StatusCode) -> pb.RpcStatus:
        """What the trailer says."""
        details: list[AnyMessage] = []
        if self.reason:
            details.append(_detail("ErrorInfo", pb.RpcErrorInfo(reason=self.reason, domain="emotional-ai")))
        if self.retry_seconds:
            details.append(_detail("RetryInfo", pb.RpcRetryInfo(retry_delay=Duration(seconds=self.retry_seconds))))
        return pb.RpcStatus(code=code.value[0], message=MESSAGE, details=details)


class _Handler(grpc.GenericRpcHandler):
    """Ends the calls a refusal concerns; the others are answered by the service `behind`, byte for byte."""

    def __init__(self, refusal: Refusal, behind: Sequence[grpc.Channel], end: threading.Event) -> None:
        self._refusal = refusal
        self._behind = behind
        self._end = end

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        name = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._answered(name, request, context))

    def _answered(self, name: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        refusal, method = self._refusal, name.rpartition("/")[2]
        refusal.heard(method, context.time_remaining() or 0.0)
        if not refusal.concerns(method):
            return self._passed_on(name, request, context)
        if refusal.code is None:
            self._end.wait(PATIENCE)
        code = refusal.code or grpc.StatusCode.CANCELLED
        context.set_trailing_metadata((("grpc-status-details-bin", refusal.status(code).SerializeToString()),))
        context.abort(code, MESSAGE)
        raise AssertionError("abort returned")

    def _passed_on(self, name: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        if not self._behind:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"nothing stands behind this service to answer {name}")
        (channel,) = self._behind
        try:
            answer: bytes = channel.unary_unary(name)(request, timeout=PATIENCE)
        except grpc.RpcError as error:
            context.set_trailing_metadata(tuple((pair.key, pair.value) for pair in error.trailing_metadata()))
            context.abort(error.code(), error.details())
        return answer


@contextmanager
def refusing_service(refusal: Refusal, behind: str = "") -> Iterator[str]:
    """Ends calls so; those it does not concern are answered by the service at `behind`. Yields host:port."""
    end, server = threading.Event(), grpc.server(ThreadPoolExecutor(8))
    with ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(behind))] if behind else []
        server.add_generic_rpc_handlers((_Handler(refusal, channels, end),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            end.set()
            server.stop(0).wait(PATIENCE)


def _detail(name: str, message: Message) -> AnyMessage:
    return AnyMessage(type_url=f"type.googleapis.com/google.rpc.{name}", value=message.SerializeToString())
