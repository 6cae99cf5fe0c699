"""What of a service is told to those who run it, and where."""

from dataclasses import dataclass, field
from enum import StrEnum


class LogFormat(StrEnum):
    """The form of a line of the log."""

    TEXT = "text"
    """For people."""
    JSON = "json"
    """One object a line, for programs."""


class LogLevel(StrEnum):
    """The least serious lines that are written."""

    DEBUG = "debug"
    """Every call that ended, too."""
    INFO = "info"
    """Calls that were refused, too."""
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the log is written, to standard error. No line ever holds what people said."""

    format: LogFormat = LogFormat.TEXT
    level: LogLevel = LogLevel.INFO
    sessions: bool = False
    """Whether lines name the session a call is for."""


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where Prometheus asks."""

    host: str = "127.0.0.1"
    port: int = 9464
    """0 takes a free one."""


@dataclass(frozen=True, slots=True)
class ObservingSettings:
    """Metrics, traces and logs; each costs nothing where it is None."""

    metrics: MetricsAddress | None = None
    otlp_url: str | None = field(default=None, repr=False)
    """Collector of traces that speaks OTLP over gRPC, such as "http://127.0.0.1:4317"; https encrypts."""
    log: LogSettings | None = None
    """None: warnings and errors, the message alone, and exceptions without theirs."""
