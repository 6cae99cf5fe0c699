"""An Inference service that speaks by a script, over real gRPC, beside a real emotion engine it passes all else on to.

For tests of what a client does with a conversation; the words are given, the states are real.
"""

import os
import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from loopback import PATIENCE, service

from emotional_ai.v1 import engine_pb2, engine_pb2_grpc, inference_pb2, inference_pb2_grpc, status_pb2

HEARD = {"lost": engine_pb2.Signals(loss=0.9), "kind": engine_pb2.Signals(social_warmth=0.8, praise=0.4)}
"""Signals the script hears in a text, by a word in it."""


@dataclass
class Script:
    """What the service does, and what it was asked."""

    pieces: tuple[str, ...] = ("I am ", "here for ", "you.")
    greatest_history: int | None = None
    """Messages of history beyond which the prompt is too long."""
    changes: tuple[inference_pb2.BlendChange, ...] = ()
    """Changes of the voice, the first at token 0; the others are told as they come."""
    adapters: tuple[inference_pb2.Adapter, ...] = ()
    told: inference_pb2.ReplyStarted = field(default_factory=lambda: inference_pb2.ReplyStarted(intensity=1))
    """What is disclosed, flagged and lowered as a reply begins."""
    pause_after: int | None = None
    """Pieces after which a reply waits to be cancelled."""
    ends_after: Path | None = None
    """A pipe: replies end once something is written to it."""
    asked: list[inference_pb2.ConverseRequest] = field(default_factory=list)
    generated: list[inference_pb2.GenerateRequest] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    """Texts in each request to appraise."""
    paused: threading.Event = field(default_factory=threading.Event)
    """Set once a reply waits to be cancelled."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set once a call whose reply would wait to be cancelled has ended."""


class ScriptedInference(inference_pb2_grpc.InferenceServicer):
    """Plays a script."""

    def __init__(self, script: Script, channel: grpc.Channel) -> None:
        self._script = script
        self._engine = engine_pb2_grpc.EmotionEngineStub(channel)
        self._inference = inference_pb2_grpc.InferenceStub(channel)

    def PreviewExpression(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._inference.PreviewExpression(request)

    def ListAdapters(self, request: Any, context: grpc.ServicerContext) -> inference_pb2.ListAdaptersResponse:
        return inference_pb2.ListAdaptersResponse(adapters=self._script.adapters)

    def Appraise(self, request: Any, context: grpc.ServicerContext) -> inference_pb2.AppraiseResponse:
        self._script.batches.append(len(request.texts))
        return inference_pb2.AppraiseResponse(appraisals=map(appraised, request.texts))

    def Converse(
        self, request: inference_pb2.ConverseRequest, context: grpc.ServicerContext
    ) -> Iterator[inference_pb2.ConverseResponse]:
        self._script.asked.append(request)
        refused(request.text, context)
        appraisal = appraised(request.text)
        stimulus = engine_pb2.Stimulus(event=appraisal.signals)
        applied = self._engine.ApplyStimuli(
            engine_pb2.ApplyStimuliRequest(
                session_id=request.session_id, stimuli=[stimulus], request_id=request.request_id
            )
        )
        yield inference_pb2.ConverseResponse(appraisal=appraisal)
        greatest = self._script.greatest_history
        if greatest is not None and len(request.history) > greatest:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "PROMPT_TOO_LONG", "the prompt has too many tokens")
        asked = inference_pb2.PreviewExpressionRequest(session_id=request.session_id)
        expression = self._inference.PreviewExpression(asked).expression
        for event in self._spoken(applied.state, expression, request.sampling, context):
            yield inference_pb2.ConverseResponse(**event)

    def Generate(
        self, request: inference_pb2.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[inference_pb2.GenerateResponse]:
        self._script.generated.append(request)
        refused(request.messages[-1].content, context)
        if request.HasField("session_id"):
            asked = inference_pb2.PreviewExpressionRequest(session_id=request.session_id)
        else:
            asked = inference_pb2.PreviewExpressionRequest(chemistry=request.explicit.chemistry)
        expression = self._inference.PreviewExpression(asked).expression
        for event in self._spoken(None, expression, request.sampling, context):
            yield inference_pb2.GenerateResponse(**event)

    def _spoken(
        self,
        state: engine_pb2.EmotionalState | None,
        expression: inference_pb2.Expression,
        sampling: inference_pb2.Sampling,
        context: grpc.ServicerContext,
    ) -> Iterator[dict[str, Any]]:
        stopped = self._stopping(context) if self._script.pause_after is not None else None
        started = inference_pb2.ReplyStarted(state=state, expression=expression, seed=sampling.seed)
        started.MergeFrom(self._script.told)
        yield {"started": started}
        for index, piece in enumerate(self._script.pieces):
            if index == self._script.pause_after and stopped is not None:
                self._script.paused.set()
                assert stopped.wait(PATIENCE), "the reply was not cancelled"
                return
            for change in self._script.changes[1:]:
                if change.token_index == index:
                    yield {"blend_change": change}
            yield {"text": inference_pb2.ReplyText(text=piece, token_index=index, token_count=1)}
        if self._script.ends_after is not None:
            wait_for(self._script.ends_after)
        applied = inference_pb2.AppliedExpression(
            temperature=expression.temperature,
            top_p=expression.top_p,
            min_p=sampling.min_p,
            conditioning=expression.conditioning + expression.gloss,
            seed=sampling.seed,
            model="script",
            blend=self._script.changes[0].blend if self._script.changes else (),
            blend_mode=inference_pb2.BLEND_MODE_EXACT if self._script.changes else None,
            changes=self._script.changes,
        )
        usage = inference_pb2.Usage(prompt_tokens=7, completion_tokens=len(self._script.pieces))
        finished = inference_pb2.ReplyFinished(reason=inference_pb2.FINISH_REASON_STOP, usage=usage, applied=applied)
        yield {"finished": finished}

    def _stopping(self, context: grpc.ServicerContext) -> threading.Event:
        """Set, with the script's, once the call has ended; cancelled between two events it is not asked for the next."""
        stopped = threading.Event()

        def told() -> None:
            self._script.cancelled.set()
            stopped.set()

        if not context.add_callback(told):
            told()
        return stopped


def wait_for(pipe: Path) -> None:
    """Returns once something is written to a pipe, and takes it."""
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # To write as well, so that it does not wait for a writer here.
    try:
        assert select.select([end], [], [], PATIENCE)[0], "nobody has written to the pipe"
        os.read(end, 1024)
    finally:
        os.close(end)


def appraised(text: str) -> inference_pb2.Appraisal:
    """What the script hears in a text."""
    for word, signals in HEARD.items():
        if word in text:
            return inference_pb2.Appraisal(signals=signals, classified=True, confidence=0.9)
    return inference_pb2.Appraisal()


def refused(text: str, context: grpc.ServicerContext) -> None:
    """Ends the call if the text asks for it."""
    if "unspeakable" in text:
        refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "text: cannot be said")


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, reason: str, message: str) -> None:
    """Ends the call as the service does."""
    info = status_pb2.RpcErrorInfo(reason=reason, domain="emotional-ai")
    detail = AnyMessage(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
    status = status_pb2.RpcStatus(code=code.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


class PassedOn(grpc.GenericRpcHandler):
    """Sends the calls of a service on to another server, byte for byte."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        name = handler_call_details.method
        if not name.startswith("/emotional_ai.v1.EmotionEngine/"):
            return None
        if name.endswith("/WatchState"):
            return grpc.unary_stream_rpc_method_handler(lambda request, context: self._streamed(name, request, context))
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._answered(name, request, context))

    def _answered(self, name: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            answer: bytes = self._channel.unary_unary(name)(request, timeout=PATIENCE)
        except grpc.RpcError as error:
            context.set_trailing_metadata(tuple((pair.key, pair.value) for pair in error.trailing_metadata()))
            context.abort(error.code(), error.details())
        return answer

    def _streamed(self, name: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        call = self._channel.unary_stream(name)(request)
        context.add_callback(call.cancel)
        try:
            yield from call
        except grpc.RpcError:
            if context.is_active():
                raise


def scripted_service(script: Script) -> AbstractContextManager[str]:
    """Serves the script beside a real engine; gives host:port."""
    return beside_an_engine(lambda channel: ScriptedInference(script, channel))


@contextmanager
def beside_an_engine(spoken: Callable[[grpc.Channel], inference_pb2_grpc.InferenceServicer]) -> Iterator[str]:
    """Serves an Inference of its own, made with a channel to a real engine that serves the rest; yields host:port."""
    with service() as engine, grpc.insecure_channel(engine) as channel:
        server = grpc.server(ThreadPoolExecutor(16))
        inference_pb2_grpc.add_InferenceServicer_to_server(spoken(channel), server)
        server.add_generic_rpc_handlers((PassedOn(channel),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait(PATIENCE)
