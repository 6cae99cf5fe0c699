"""Encrypted connections: certificates checked at the start, and read again when their files change.

gRPC asks for the certificates at every handshake, in a thread of its own; connections that are open keep theirs.
"""

import ssl
from pathlib import Path
from typing import Final

import grpc

from emotional_ai_service.access.errors import CertificateUnfit
from emotional_ai_service.access.settings import TlsSettings
from emotional_ai_service.reread import Reread

HOW_MADE: Final = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=emotional-ai "
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout tls.key -out tls.crt"
)
"""A command that makes a certificate of one's own, for names that clients reach the service by."""


def server_credentials(settings: TlsSettings) -> grpc.ServerCredentials:
    """What a port is encrypted by. Raises CertificateUnfit, naming the file, for what no client could connect to."""
    paths = (settings.certificate, settings.key, settings.client_authority)
    certificates = Reread(
        [path for path in paths if path is not None], lambda: _read(settings), (CertificateUnfit, OSError)
    )
    return grpc.dynamic_ssl_server_credentials(
        certificates.read(),
        certificates.changed,  # type: ignore[arg-type]  # the stubs do not know None, which leaves what is in force
        settings.client_authority is not None,
    )


def check(settings: TlsSettings) -> None:
    """Raises CertificateUnfit for files that cannot be read, do not belong together, or hold a certificate that has ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = settings.certificate, settings.key
    for path in (certificate, key):
        _readable(path)
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateUnfit(f"the key {key} is not that of the certificate {certificate}") from error
        raise CertificateUnfit(
            f"{certificate} and {key} are no PEM certificate and key without a passphrase: {error.reason or error}"
        ) from error
    _valid_now(context, certificate)
    if settings.client_authority is not None:
        _authorities(settings.client_authority)


def _read(settings: TlsSettings) -> grpc.ServerCertificateConfiguration:
    check(settings)
    authority = settings.client_authority
    return grpc.ssl_server_certificate_configuration(
        [(settings.key.read_bytes(), settings.certificate.read_bytes())],
        None if authority is None else authority.read_bytes(),
    )


def _readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise CertificateUnfit(
            f"{path} cannot be read: {error.strerror or error}; make one with: {HOW_MADE}"
        ) from error


def _no_passphrase() -> str:
    raise CertificateUnfit(
        "the key is kept under a passphrase, which a service that starts by itself cannot give; write it without one: "
        "openssl pkey -in KEY -out tls.key"
    )


def _valid_now(context: ssl.SSLContext, certificate: Path) -> None:
    """Shakes hands with itself in memory: a client's own check of dates and of what the certificate is for."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    # The certificate itself is what is trusted here, whoever signed it.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)
    try:
        for _ in range(4):
            for end in ends:
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        raise CertificateUnfit(
            f"no client would trust {certificate}: {error.verify_message}; make one with: {HOW_MADE}"
        ) from error


def _authorities(path: Path) -> None:
    _readable(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise CertificateUnfit(f"{path} holds no PEM certificates: {error.reason or error}") from error
