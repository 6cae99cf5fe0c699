"""Settings of access: who may call, and how connections are encrypted."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How connections are encrypted. Files are PEM, and read again when they change."""

    certificate: Path
    """The service's certificate, followed by those that lead to its authority."""
    key: Path
    """Its private key, without a passphrase."""
    client_authority: Path | None = None
    """Certificates of the authorities that clients must have a certificate of; clients need none where there are none."""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who may call."""

    tokens: Path | None = None
    """File of tokens; without one anybody who can connect may do everything."""
    tls: TlsSettings | None = None
    """None leaves connections unencrypted."""
    insecure_network: bool = False
    """Whether to listen beyond this machine without tokens or without encryption."""
    reread_seconds: float = 1.0
    """Between looks at whether the file of tokens, and what open streams were let in by, still stand; more than 0."""
