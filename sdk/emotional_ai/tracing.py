"""The caller's trace, passed on to the service: metadata `traceparent`, as the W3C's Trace Context says."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from emotional_ai.connection import Metadata

NEEDED: Final = "opentelemetry"


def trace_metadata() -> Callable[[], Metadata]:
    """What tells the trace that is current when it is called: nothing outside of any.

    Raises ModuleNotFoundError, with the command that installs it, where OpenTelemetry is not there.
    """
    if find_spec(NEEDED) is None:
        raise ModuleNotFoundError(
            "tracing=True passes on the trace of OpenTelemetry, which is not there; pip install 'emotional-ai[observability]'"
        )
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()

    def told() -> Metadata:
        carried: dict[str, str] = {}
        propagator.inject(carried)
        return tuple(carried.items())

    return told
