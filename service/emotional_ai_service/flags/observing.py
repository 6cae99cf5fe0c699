"""Flags of the command line for metrics, traces and the log."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Final

import typer

from emotional_ai.connection import is_loopback
from emotional_ai_service.addresses import check_address
from emotional_ai_service.flags.extra import check_installed
from emotional_ai_service.observing.settings import LogFormat, LogLevel, LogSettings, MetricsAddress, ObservingSettings

EXTRA: Final = "observability"

Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="HOST:PORT",
        help="Serve numbers for Prometheus there, at /metrics; port 0 takes a free one.",
        show_default="none are served",
    ),
]
MetricsPublic = Annotated[
    bool,
    typer.Option(
        "--metrics-public", help="Let --metrics be an address that other machines reach; it has no access control."
    ),
]
Otlp = Annotated[
    str | None,
    typer.Option(
        "--otlp",
        envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
        metavar="URL",
        help="Send traces to the collector there, over gRPC, such as http://127.0.0.1:4317. OTEL_TRACES_SAMPLER and other "
        "variables of OpenTelemetry hold.",
        show_default="no traces",
    ),
]
Log = Annotated[
    LogFormat | None,
    typer.Option("--log", help="Form of the log on standard error.", show_default="warnings, the message alone"),
]
Level = Annotated[
    LogLevel | None,
    typer.Option(
        "--log-level",
        help="Least serious lines that are logged; debug has every call, info those that were refused.",
        show_default="info with --log",
    ),
]
LogSessions = Annotated[bool, typer.Option("--log-sessions", help="Name the session a call is for in the log.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingFlags:
    """What was given; None for what was not."""

    metrics: str | None
    metrics_public: bool
    otlp: str | None
    log: LogFormat | None
    log_level: LogLevel | None
    log_sessions: bool


def observing_of(flags: ObservingFlags, there: Callable[[str], object] = find_spec) -> ObservingSettings:
    """The settings; `there` finds a package. Raises typer.BadParameter for what cannot be, naming what is allowed."""
    settings = ObservingSettings(_metrics(flags), _otlp(flags.otlp), _log(flags))
    if settings.metrics is not None:
        check_installed("--metrics", "prometheus_client", EXTRA, there)
    if settings.otlp_url is not None:
        check_installed("--otlp", "opentelemetry.sdk", EXTRA, there)
        check_installed("--otlp", "opentelemetry.exporter.otlp.proto.grpc", EXTRA, there)
    return settings


def _metrics(flags: ObservingFlags) -> MetricsAddress | None:
    if flags.metrics is None:
        if flags.metrics_public:
            raise typer.BadParameter("has no use without --metrics", param_hint="--metrics-public")
        return None
    host, _, port = flags.metrics.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and int(port) <= 65535) or (":" in host and host[0] != "["):
        raise typer.BadParameter(
            f"must be HOST:PORT, such as 127.0.0.1:9464, the port in 0..65535; got {flags.metrics!r}",
            param_hint="--metrics",
        )
    if not is_loopback(host) and not flags.metrics_public:
        raise typer.BadParameter(
            f"{host} is reached by other machines, and metrics have no access control; name a loopback address, or say "
            "--metrics-public where the network is trusted",
            param_hint="--metrics",
        )
    return MetricsAddress(host, int(port))


def _otlp(url: str | None) -> str | None:
    if not url:
        return None
    try:
        parts = check_address("--otlp", url)
    except ValueError:
        parts = None
    if parts is None or parts.username or parts.password:
        raise typer.BadParameter(
            "must be http://HOST:PORT or https://HOST:PORT, without a user or password: those belong in "
            "OTEL_EXPORTER_OTLP_HEADERS",
            param_hint="--otlp",
        )
    return url


def _log(flags: ObservingFlags) -> LogSettings | None:
    if flags.log is None and flags.log_level is None:
        if flags.log_sessions:
            raise typer.BadParameter("has no use without --log", param_hint="--log-sessions")
        return None
    return LogSettings(flags.log or LogFormat.TEXT, flags.log_level or LogLevel.INFO, flags.log_sessions)
