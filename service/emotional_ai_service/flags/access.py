"""Flags of the command line that say who may call, and how connections are encrypted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_service.access.settings import AccessSettings, TlsSettings

Tokens = Annotated[
    Path | None,
    typer.Option(
        "--tokens",
        metavar="FILE",
        help="Ask callers for a token of this file, which `emotional-ai tokens add` makes. Read again when it changes.",
        show_default="anybody who can connect may do everything",
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        "--tls-cert",
        metavar="FILE",
        help="Encrypt connections: the certificate, PEM, followed by those that lead to its authority.",
        show_default="unencrypted",
    ),
]
TlsKey = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key, PEM, without a passphrase.")
]
TlsClientCa = Annotated[
    Path | None,
    typer.Option(
        "--tls-client-ca",
        metavar="FILE",
        help="Let in only clients with a certificate of these authorities, PEM.",
        show_default="clients need no certificate",
    ),
]
InsecureNetwork = Annotated[
    bool,
    typer.Option("--insecure-network", help="Listen beyond this machine even without tokens or without encryption."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFlags:
    """What was given; None for what was not."""

    tokens: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    insecure_network: bool


def access_of(flags: AccessFlags) -> AccessSettings:
    """The access the flags describe. Raises BadParameter naming a flag that is missing beside another."""
    return AccessSettings(
        tokens=None if flags.tokens is None else flags.tokens.absolute(),
        tls=_tls(flags),
        insecure_network=flags.insecure_network,
    )


def _tls(flags: AccessFlags) -> TlsSettings | None:
    if flags.tls_cert is None and flags.tls_key is None:
        if flags.tls_client_ca is not None:
            raise typer.BadParameter("needs --tls-cert and --tls-key beside it", param_hint="--tls-client-ca")
        return None
    if flags.tls_cert is None or flags.tls_key is None:
        missing = "--tls-cert" if flags.tls_cert is None else "--tls-key"
        raise typer.BadParameter("is missing: a certificate and its key belong together", param_hint=missing)
    return TlsSettings(flags.tls_cert.absolute(), flags.tls_key.absolute(), _absolute(flags.tls_client_ca))


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
