"""Spans of a server, sent to a collector over OTLP. Imported only where traces are asked for.

    the caller's span                         from `traceparent` in the metadata of the call
    +-- EmotionEngine/ApplyStimuli            one for each call
    |   +-- store append
    +-- Inference/Converse
        +-- appraisal
        +-- store append
        +-- decoder reply
            +-- queue, prefill, decode        as the decoder's process timed them

A span holds names, numbers and codes; never what people wrote.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Final, Self, final

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from emotional_ai_service.observing.call import QUIET, Call

SERVICE_NAME: Final = "emotional-ai"
QUEUE_LIMIT: Final = 4096
"""Spans that wait for the collector; more are dropped."""
PATIENCE_SECONDS: Final = 2.0
"""How long the collector may take to answer, retries included; the end of a server waits no longer than that either."""
Value = str | int | float | bool


@final
class Tracing:
    """The spans of one server; `close` it in the end. Nothing waits for the collector."""

    def __init__(self, exporter: SpanExporter, version: str) -> None:
        resource = Resource.create({"service.name": SERVICE_NAME, "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=QUEUE_LIMIT, schedule_delay_millis=1_000)
        )
        self._tracer = self._provider.get_tracer(SERVICE_NAME, version)
        self._propagator = TraceContextTextMapPropagator()

    @classmethod
    def to(cls, url: str, version: str) -> Self:
        """Traces sent to the collector at `url`; http:// is not encrypted, https:// is."""
        exporter = OTLPSpanExporter(endpoint=url, insecure=not url.startswith("https://"), timeout=PATIENCE_SECONDS)
        return cls(exporter, version)

    def begin_call(self, call: Call, metadata: Iterable[tuple[str, str | bytes]]) -> Span:
        """A call's span, which goes on the caller's trace; it is the current one for the rest of the task."""
        carried = {key: value for key, value in metadata if isinstance(value, str)}
        service, _, method = call.method.partition("/")
        span = self._tracer.start_span(
            call.method,
            self._propagator.extract(carried),
            SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "request.id": call.request_id},
        )
        contexts.attach(set_span_in_context(span))
        return span

    def end_call(self, span: Span, code: str) -> None:
        """Ends a call's span with the name of its status code."""
        span.set_attribute("rpc.grpc.status", code)
        if code not in QUIET:
            span.set_status(Status(StatusCode.ERROR, code))
        span.end()

    def begin(self, name: str, attributes: Mapping[str, Value] | None = None) -> Span:
        """A span below the current one, to be ended by `end`."""
        return self._tracer.start_span(name, attributes=dict(attributes or {}))

    def end(self, span: Span, error: BaseException | None = None) -> None:
        """Ends a span; an error is told by its type alone."""
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        span.end()

    def stages(self, parent: Span, stages: Iterable[tuple[str, float]]) -> None:
        """Spans below `parent` of what went on elsewhere, one after another up to now: each its name and its seconds."""
        listed, now = [stage for stage in stages if stage[1] > 0], time.time_ns()
        within = set_span_in_context(parent)
        at = now - sum(int(seconds * 1e9) for _, seconds in listed)
        for name, seconds in listed:
            span = self._tracer.start_span(name, within, start_time=at)
            at += int(seconds * 1e9)
            span.end(at)

    def close(self) -> None:
        """Sends what is left, waiting for a moment at most; blocks."""
        self._provider.shutdown()


def current_trace_id() -> str:
    """The trace of the current span, 32 hex digits; empty where there is none."""
    found = get_current_span().get_span_context()
    return format_trace_id(found.trace_id) if found.is_valid else ""
