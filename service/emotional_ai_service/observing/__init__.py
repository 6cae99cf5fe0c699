"""What those who run the service can see of it; each part costs nothing unless it was asked for.

settings      what is asked for; flags: how the command line asks
observation   puts the rest around the parts of one server
interceptor   around every call: its name, its time, its span, its line in the log; call: the call under way
rpcs          calls counted; store, speech, training: what else is
histogram     counts of values in ranges
scrape        all numbers as Prometheus reads them; endpoint: where it asks; loop_lag: how late the loop is
tracing       spans, sent over OTLP
logs          lines of the log, without what people wrote
"""

from emotional_ai_service.observing.endpoint import MetricsUnservable
from emotional_ai_service.observing.logs import log_to_stderr
from emotional_ai_service.observing.observation import Inside, Observation, observed
from emotional_ai_service.observing.rpcs import StreamLag
from emotional_ai_service.observing.settings import (
    LogFormat,
    LogLevel,
    LogSettings,
    MetricsAddress,
    ObservingSettings,
)

__all__ = [
    "Inside",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "MetricsAddress",
    "MetricsUnservable",
    "Observation",
    "ObservingSettings",
    "StreamLag",
    "log_to_stderr",
    "observed",
]
