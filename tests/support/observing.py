"""What tests read of an observed service: its numbers, its lines, and its spans at a collector that takes them over OTLP."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition
from time import monotonic
from typing import Any
from urllib.request import urlopen

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as collector_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as collector_grpc
from opentelemetry.proto.trace.v1 import trace_pb2
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from emotional_ai_service.observing.logs import OURS, Lines
from emotional_ai_service.observing.settings import LogSettings

PATIENCE = 30.0
"""Seconds a test waits for what must come."""
Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Numbers:
    """One scrape."""

    samples: dict[tuple[str, Labels], float]

    def of(self, name: str, **labels: str) -> float:
        """The sample of that name and those labels."""
        return self.samples[name, frozenset(labels.items())]


def read_families(url: str) -> list[Metric]:
    """What a service tells Prometheus, read with Prometheus's own parser."""
    with urlopen(url, timeout=PATIENCE) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


def read_numbers(url: str) -> Numbers:
    """The same, sample by sample."""
    return Numbers(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in read_families(url)
            for sample in family.samples
        }
    )


def numbers_once(url: str, there: Callable[[Numbers], bool]) -> Numbers:
    """The first scrape that is as it must become: what is counted after a response was sent may be counted a moment later."""
    until = monotonic() + PATIENCE
    while not there(found := read_numbers(url)):
        assert monotonic() < until, f"this did not become as it must: {found}"
    return found


@dataclass(slots=True)
class Collector(collector_grpc.TraceServiceServicer):
    """Takes spans."""

    url: str = ""
    spans: list[trace_pb2.Span] = field(default_factory=list)
    resources: set[str] = field(default_factory=set)
    """Names of the services they came from."""
    _came: Condition = field(default_factory=Condition)

    def Export(
        self, request: collector_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> collector_pb2.ExportTraceServiceResponse:
        with self._came:
            for resource in request.resource_spans:
                self.resources |= {
                    one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
                }
                for scope in resource.scope_spans:
                    self.spans += scope.spans
            self._came.notify_all()
        return collector_pb2.ExportTraceServiceResponse()

    def wait_for(self, *names: str) -> None:
        """Returns once spans of these names have come."""
        with self._came:
            assert self._came.wait_for(lambda: {span.name for span in self.spans} >= set(names), PATIENCE), (
                f"of {names} only {sorted({span.name for span in self.spans})} came"
            )

    def text(self) -> str:
        """Everything that was sent, as text."""
        return "\n".join(map(str, self.spans))


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector of traces on this machine, over real gRPC."""
    server, servicer = grpc.server(futures.ThreadPoolExecutor(2)), Collector()
    collector_grpc.add_TraceServiceServicer_to_server(servicer, server)
    servicer.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield servicer
    finally:
        server.stop(None).wait(PATIENCE)


class Logged(logging.Handler):
    """What was logged: lines in JSON."""

    def __init__(self, settings: LogSettings) -> None:
        super().__init__()
        self.setFormatter(Lines(settings))
        self.lines: list[dict[str, Any]] = []
        self._came = Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._came:
            self.lines.append(json.loads(self.format(record)))
            self._came.notify_all()

    @property
    def text(self) -> str:
        return json.dumps(self.lines)

    def wait_for(self, **facts: object) -> dict[str, Any]:
        """The first line with these facts, once it has come: a call is logged after whoever refused it has told its caller."""

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines if facts.items() <= line.items()), None)

        with self._came:
            line = self._came.wait_for(found, PATIENCE)
        assert line is not None, f"no line with {facts} came, but {self.lines}"
        return line

    async def until(self, **facts: object) -> dict[str, Any]:
        """As wait_for, for whoever shares a loop with the service."""
        return await asyncio.to_thread(self.wait_for, **facts)


@contextmanager
def logged(settings: LogSettings) -> Iterator[Logged]:
    """What this process logs meanwhile, as the service would write it."""
    handler = Logged(settings)
    loggers = [logging.getLogger(name) for name in OURS]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(settings.level.upper())
    try:
        yield handler
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.removeHandler(handler)
            one.setLevel(level)
