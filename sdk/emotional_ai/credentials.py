"""How a client shows who it is, and whom it takes for the service: what flags and the environment say of it.

credentials = Credentials(token=..., ca="ca.pem")
Client(target, credentials=credentials.of_channel(target), token=credentials.token)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import grpc
from grpc.experimental import insecure_channel_credentials

from emotional_ai.connection import check_token, is_local

TOKEN: Final = "EMOTIONAL_AI_TOKEN"  # noqa: S105  # where it is found
CA: Final = "EMOTIONAL_AI_CA"
CLIENT_CERT: Final = "EMOTIONAL_AI_CLIENT_CERT"
CLIENT_KEY: Final = "EMOTIONAL_AI_CLIENT_KEY"
"""Variables of the environment, by which the commands, the page and the bridge are told."""

SYSTEM: Final = "system"
"""Instead of a file: the public authorities that gRPC brings."""
NONE: Final = "none"
"""Instead of a file: the network is trusted, and nothing is encrypted."""

UNCONNECTED: Final = ("failed to connect", "connections to all backends failing")
"""How gRPC says that it reached nobody, of one address and of several."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client was told; what is empty is None, as if it had not been told."""

    token: str | None = field(default=None, repr=False)
    """Token of the service."""
    ca: str | None = None
    """File of the authorities, PEM, one of which vouches for the service; or `system`, or `none`."""
    client_cert: str | None = None
    """File of the client's own certificate, PEM, where the service asks for one."""
    client_key: str | None = None
    """File of its key, PEM."""

    def __post_init__(self) -> None:
        for name in ("token", "ca", "client_cert", "client_key"):
            object.__setattr__(self, name, getattr(self, name) or None)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """What the environment says."""
        return cls(*(environ.get(name) for name in (TOKEN, CA, CLIENT_CERT, CLIENT_KEY)))

    @property
    def encrypted(self) -> bool:
        """Whether the way is to be encrypted."""
        return self.ca not in (None, NONE)

    def environment(self) -> dict[str, str]:
        """The same as variables, for a process that is to be told so."""
        values = (self.token, self.ca, self.client_cert, self.client_key)
        return {name: value for name, value in zip((TOKEN, CA, CLIENT_CERT, CLIENT_KEY), values, strict=True) if value}

    def of_channel(self, target: str) -> grpc.ChannelCredentials | None:
        """Encryption of the way to `target`; None for none.

        Raises ValueError, naming flag and variable, for files that cannot be read, settings that do not fit together, and a
        token that cannot be sent, or would cross a network in the clear.
        """
        if self.token:
            check_token(self.token)
        if bool(self.client_cert) != bool(self.client_key):
            raise ValueError(
                f"--client-cert ({CLIENT_CERT}) and --client-key ({CLIENT_KEY}) belong together; give both"
            )
        if self.client_cert and self.ca in (None, NONE):
            raise ValueError(f"a client's certificate is shown over an encrypted connection; give --ca FILE ({CA}) too")
        if self.ca == NONE:
            trusting: grpc.ChannelCredentials = insecure_channel_credentials()  # type: ignore[no-untyped-call]
            return trusting
        if self.ca:
            return grpc.ssl_channel_credentials(
                None if self.ca == SYSTEM else _read(self.ca, "--ca", CA),
                _read(self.client_key, "--client-key", CLIENT_KEY) if self.client_key else None,
                _read(self.client_cert, "--client-cert", CLIENT_CERT) if self.client_cert else None,
            )
        if self.token and not is_local(target):
            raise ValueError(
                f"the token would reach {target} unencrypted; give --ca FILE ({CA}), the authority of the service's "
                f"certificate, `--ca {SYSTEM}` for a public one, or `--ca {NONE}` where the network is trusted"
            )
        return None


def broken_encryption(message: str, *, encrypted: bool) -> str:
    """What to check where gRPC says that a connection was made and broken as by encryption of one side; empty elsewhere."""
    if "Failed to create security handshaker" in message:
        return (
            f"the key of --client-key ({CLIENT_KEY}) is not that of --client-cert ({CLIENT_CERT}), or either is no PEM"
        )
    if "handshake failed" in message or "Verification Check failed" in message:
        return (
            f"the encrypted connection could not be agreed on; check that --ca ({CA}) names the authority of the service's "
            "certificate, that this is made for the address, and that the service was started with --tls-cert"
        )
    if "Socket closed" in message and any(words in message for words in UNCONNECTED):
        needed = f"--client-cert and --client-key ({CLIENT_CERT}, {CLIENT_KEY})" if encrypted else f"--ca FILE ({CA})"
        return (
            f"something there closes the connection; if the service asks for encryption or a certificate, give {needed}"
        )
    return ""


def _read(path: str, flag: str, variable: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{flag} ({variable}): {path} cannot be read: {error.strerror or error}") from error
    if b"-----BEGIN " not in content:
        raise ValueError(f"{flag} ({variable}): {path} is no PEM file")
    return content
