"""Tokens and certificates for tests."""

import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from loopback import IN_MEMORY

from emotional_ai_service.access import AccessSettings, TokenFile
from emotional_ai_service.access.token import Kept, Token, digest_of, new_id, written
from emotional_ai_service.callers import Scope
from emotional_ai_service.settings import Settings

SOON = 0.05
"""Seconds after which a service under test notices that its tokens changed."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A file of tokens that a test adds to."""

    file: TokenFile

    @classmethod
    def at(cls, path: Path) -> "Issuer":
        """An issuer with a file that holds no token yet."""
        issuer = cls(TokenFile(path))
        issuer.file.change(list)
        return issuer

    def add(self, *scopes: Scope, tenant: str = "acme", expires_us: int | None = None) -> str:
        """A new token, as it is written."""
        text = written(new_id())
        token = Token(
            id_in(text), tenant, frozenset(scopes), time.time_ns() // 1000, expires_us, "", (Kept(digest_of(text)),)
        )
        self.file.change(lambda known: [*known, token])
        return text

    def revoke(self, text: str) -> None:
        """Ends a token."""
        self.file.change(lambda known: [one for one in known if one.token_id != id_in(text)])

    def settings(self) -> Settings:
        """A service in memory that asks for these tokens."""
        return replace(IN_MEMORY, access=AccessSettings(self.file.path, reread_seconds=SOON))


def id_in(text: str) -> str:
    """The id of a token as it is written."""
    return text.split("_")[1]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path


def certificate(folder: Path, name: str, *, days: int = 2, signed_by: Certificate | None = None) -> Certificate:
    """A certificate for this machine, its own authority unless it is signed by another; of -1 day it has ended."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    request = folder / f"{name}.csr"
    names = folder / f"{name}.names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n", encoding="utf-8")
    _openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
        *("-subj", f"/CN={name}", "-keyout", str(made.key), "-out", str(request)),
    )
    signer = (
        ("-signkey", str(made.key))
        if signed_by is None
        else ("-CA", str(signed_by.certificate), "-CAkey", str(signed_by.key), "-CAcreateserial")
    )
    _openssl(
        f"x509 -req -days {days}",
        *("-in", str(request), "-extfile", str(names), "-out", str(made.certificate), *signer),
    )
    return made


def _openssl(words: str, *arguments: str) -> None:
    subprocess.run(["openssl", *words.split(), *arguments], check=True, capture_output=True)
