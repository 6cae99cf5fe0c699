"""Where a Redis server is and how to get in. Passwords are in no text that this makes."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

FORMS = "redis://[user:password@]host[:6379][/database], rediss:// for TLS, or unix:///path/of/socket"

QUOTING = "in a password, `/`, `?`, `#`, `@` and `%` are written as %2F, %3F, %23, %40 and %25"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A server, as a URL names it."""

    host: str
    port: int = 6379
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    """Whether the server is spoken to by TLS and its certificate checked."""
    ca_file: Path | None = None
    """Certificates that vouch for the server's, in place of the system's."""
    socket: Path | None = None
    """A Unix socket, in place of host and port."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address `url` names. Raises ValueError, which names the part that is wrong and never the password."""
        try:
            parts = urlsplit(url)
            port = parts.port or 6379
        except ValueError:
            # Nothing of the URL is told: a password with a stroke or a question mark in it can be taken for any part.
            raise ValueError(f"is no URL with a port of 1 to 65535; must be {FORMS}; {QUOTING}") from None
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError(f"must begin with redis://, rediss:// or unix://: {FORMS}")
        options = parse_qs(parts.query)
        if options.keys() - {"ca", "db"}:
            raise ValueError(f"has options other than `ca` and `db`; {QUOTING}")
        unix = parts.scheme == "unix"
        if not (parts.path if unix else parts.hostname):
            raise ValueError(f"names no {'socket' if unix else 'host'}; must be {FORMS}")
        return cls(
            host=parts.hostname or "localhost",
            port=port,
            database=_database(parts, options),
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=parts.scheme == "rediss",
            ca_file=Path(options["ca"][-1]) if "ca" in options else None,
            socket=Path(unquote(parts.path)) if unix else None,
        )

    def __str__(self) -> str:
        if self.socket is not None:
            return f"unix://{self.socket}?db={self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' if self.tls else ''}://{host}:{self.port}/{self.database}"

    def hushed(self, text: str) -> str:
        """A text without the password, should it be in there."""
        return text.replace(self.password, "***") if self.password else text

    def tls_context(self) -> ssl.SSLContext | None:
        """What TLS is spoken by; None without it. Raises OSError, naming the file, for certificates that cannot be read."""
        try:
            return ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        except OSError as error:
            raise OSError(f"the certificates in {self.ca_file} cannot be read: {error.strerror or error}") from error


def _database(parts: SplitResult, options: dict[str, list[str]]) -> int:
    text = options["db"][-1] if "db" in options else "" if parts.scheme == "unix" else parts.path.strip("/")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"must name the database by a number from 0 on; {QUOTING}")
    return int(text)
