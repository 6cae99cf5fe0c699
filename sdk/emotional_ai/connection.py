"""How a client reaches the service: channels and their options, retries, credentials.

Retries are gRPC's own, by a service config. They cover calls that change nothing, and changes that carry a request_id, which
this client always attaches; nothing else is sent twice.
"""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Final

import grpc
from grpc import aio

from emotional_ai.targets import LOOKED_UP_AGAIN_MS, SPREADING, addresses, authority, host, joined, spread, uri

DEFAULT_TARGET: Final = "127.0.0.1:50051"
REQUEST_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of the largest request; the service refuses larger ones."""
RESPONSE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of the largest response: the export of a long log is one."""
KEEPALIVE_MS: Final = 30_000
"""Time between pings while a call is open; the service permits 20 s and more."""

RETRIED: Final[Mapping[str, Sequence[str]]] = {
    "emotional_ai.v1.EmotionEngine": (
        "CreateSession",
        "GetSession",
        "ListSessions",
        "GetState",
        "ApplyStimuli",
        "GetHistory",
        "Explain",
        "ReplayCounterfactual",
        "ExportSession",
        "Simulate",
    ),
    "emotional_ai.v1.Inference": (
        "Converse",
        "Generate",
        "Appraise",
        "PreviewExpression",
        "GetModel",
        "GetLoad",
        "ListAdapters",
    ),
    "emotional_ai.v1.Training": ("StartJob", "GetJob", "ListJobs"),
}
"""Methods that may be sent again, by service; a streamed reply only as long as nothing of it has arrived."""

CONNECT_MS: Final = 2_000
"""Milliseconds a connection may take to come about, encryption included: gRPC gives it up after its "min reconnect backoff"."""

RETRY_POLICY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

Option = tuple[str, str | int]
Metadata = tuple[tuple[str, str], ...]


def service_config(target: str = DEFAULT_TARGET) -> str:
    """gRPC's settings for retries, and for spreading calls where a target may be several replicas, as JSON."""
    names = [{"service": service, "method": method} for service, methods in RETRIED.items() for method in methods]
    retrying = {"methodConfig": [{"name": names, "retryPolicy": RETRY_POLICY}]}
    return json.dumps({**retrying, **(SPREADING if spread(target) else {})})


def channel(target: str, credentials: grpc.ChannelCredentials | None, options: Sequence[Option]) -> grpc.Channel:
    """A channel to a target, encrypted if `credentials` are given."""
    if credentials is None:
        return grpc.insecure_channel(uri(target), options)
    return grpc.secure_channel(uri(target), credentials, options)


def async_channel(target: str, credentials: grpc.ChannelCredentials | None, options: Sequence[Option]) -> aio.Channel:
    """The same for the event loop that runs."""
    if credentials is None:
        return aio.insecure_channel(uri(target), options)
    return aio.secure_channel(uri(target), credentials, options)


def channel_options(target: str, longest_seconds: float = 5.0) -> list[Option]:
    """Options of the channel that carries everything but watches. A service on this machine is reached past any proxy.

    `longest_seconds` is the longest wait between two attempts to connect.
    """
    named = authority(target)
    return [
        *([("grpc.default_authority", named)] if named else []),
        ("grpc.enable_http_proxy", 0 if is_local(target) else 1),
        ("grpc.service_config", service_config(target)),
        ("grpc.dns_min_time_between_resolutions_ms", LOOKED_UP_AGAIN_MS),
        ("grpc.enable_retries", 1),
        ("grpc.max_send_message_length", REQUEST_LIMIT),
        ("grpc.max_receive_message_length", RESPONSE_LIMIT),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", CONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", max(round(longest_seconds * 1000), 100)),
    ]


def watch_options(target: str, longest_seconds: float = 5.0) -> list[Option]:
    """Options of the channel for watches: it takes in little ahead of the reader, so that what is read is recent."""
    return [
        *channel_options(target, longest_seconds),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 1024),
    ]


def call_metadata(target: str, credentials: grpc.ChannelCredentials | None, token: str | None) -> Metadata:
    """Metadata of every call. Raises ValueError for a token that would cross a network in the clear, or cannot be sent."""
    if token is None:
        return ()
    check_token(token)
    if credentials is None and not is_local(target):
        raise ValueError(
            f"a token would reach {target!r} unencrypted; give `credentials` (grpc.ssl_channel_credentials(), or "
            "grpc.experimental.insecure_channel_credentials() if the network is trusted)"
        )
    return (("authorization", f"Bearer {token}"),)


def check_token(token: str) -> None:
    """Raises ValueError for what cannot be sent as a token; gRPC would, and show the token in its message."""
    if not token or not all("!" <= mark <= "~" for mark in token):
        raise ValueError("a token is 1 or more printable ASCII characters without spaces")


def service_address(text: str) -> str:
    """An address as a flag takes it, or several. Raises ValueError for what is no HOST:PORT, or no port of a service."""
    for address in addresses(text):
        _check_address(address)
    return joined(text)


def _check_address(text: str) -> None:
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    wrong = not bare or any(mark in bare for mark in "/@ \t") or (":" in bare and host == bare)
    if wrong or not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError(
            f"a service is named as HOST:PORT, such as {DEFAULT_TARGET}, the port in 1..65535; got {text!r}"
        )


def start_command(address: str) -> str:
    """The command that starts a service at an address, the first one where several are named."""
    address = addresses(address)[0]
    host, _, port = address.rpartition(":")
    if address == DEFAULT_TARGET or not port.isdecimal():
        return "emotional-ai serve"
    where = "" if host in ("127.0.0.1", "localhost") else f" --host {host}"
    return f"emotional-ai serve{where} --port {port}"


def is_local(target: str) -> bool:
    """Whether the way to a target stays on this machine, whichever of its addresses is taken."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    named = target.removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:").lstrip("/")
    return all(is_loopback(host(one)) for one in addresses(named))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address, which may stand in brackets."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
