"""The gRPC server and the address it listens on."""

import socket

import grpc

from emotional_ai_service.access import server_credentials
from emotional_ai_service.settings import Settings


class AddressInUse(OSError):
    """The address to serve on is taken."""


def new_server(settings: Settings) -> grpc.aio.Server:
    """A server that listens nowhere yet."""
    return grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", settings.max_request_bytes),
            ("grpc.max_send_message_length", settings.max_response_bytes),
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ),
    )


def check_free(settings: Settings) -> None:
    """Raises AddressInUse where the address cannot be listened on; gRPC would print lines of its own above our message."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host.strip("[]"), settings.port), family=family).close()
    except OSError as error:
        raise _address_in_use(settings) from error


def bind(server: grpc.aio.Server, settings: Settings) -> int:
    """Has the server listen, encrypted if the settings say so; returns the port. Raises AddressInUse, or CertificateUnfit."""
    where, tls = f"{settings.host}:{settings.port}", settings.access.tls
    credentials = None if tls is None else server_credentials(tls)
    try:
        return server.add_insecure_port(where) if credentials is None else server.add_secure_port(where, credentials)
    except RuntimeError as error:
        raise _address_in_use(settings) from error


def _address_in_use(settings: Settings) -> AddressInUse:
    return AddressInUse(
        f"cannot listen on {settings.host}:{settings.port}. Another service may be using the port, or the address is not one "
        "of this machine; choose another with --port or --host"
    )
