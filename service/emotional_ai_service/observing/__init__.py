"""What those who run the service can see of it; each part costs nothing unless it was asked for.

settings      what is asked for
observation   puts the rest around the parts of one server
calls         around every call: its name, its time, its span, its line in the log; call: the call under way
rpcs          calls counted; store, speech, training: what else is
histogram     counts of values in ranges
scrape        all numbers as Prometheus reads them; endpoint: where it asks; loop_lag: how late the loop is
tracing       spans, sent over OTLP
logs          lines of the log, without what people wrote; bare: where no log was asked for

Only the settings are brought in with the package: processes of models log as the service does, and need nothing else.
"""

from emotional_ai_service.observing.settings import (
    LogFormat,
    LogLevel,
    LogSettings,
    MetricsAddress,
    ObservingSettings,
)

__all__ = ["LogFormat", "LogLevel", "LogSettings", "MetricsAddress", "ObservingSettings"]
