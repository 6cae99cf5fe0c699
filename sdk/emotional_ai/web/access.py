"""Who may come in: rules on the headers of a request, without any input or output.

Host     names this page, or the request is not for it: a page elsewhere may have its own name resolved to this machine
Origin   is this page's own, or another site is asking through a visitor's browser
token    is known, where the page is served beyond this machine
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from emotional_ai.connection import is_loopback
from emotional_ai.web.settings import WebSettings

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(:[0-9]{1,5})?")
_NAVIGATION: Final = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

Headers = Mapping[str, str]
"""Of a request, names in lower case; one that was sent twice has both values, separated by a comma."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served."""

    status: int
    """Of HTTP."""
    words: str
    """What was wrong, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one page."""

    names: frozenset[str]
    """Hosts this page is."""
    any_address: bool
    """Whether any numeric address will do: those of the machine are not known, and no other site can have one."""
    token: str | None

    @classmethod
    def of(cls, settings: WebSettings) -> Self:
        """The rules that settings ask for."""
        names = {*LOOPBACK, settings.host, *settings.allowed_hosts}
        return cls(
            frozenset(name.lower().strip("[]").rstrip(".") for name in names),
            not is_loopback(settings.host),
            settings.token,
        )

    def refusal(self, method: str, headers: Headers) -> Refusal | None:
        """Why a request, or the handshake of a websocket, is refused whoever sent it; None if it is not."""
        host = _named(headers.get("host", ""))
        if host is None or not self._is_ours(host):
            return Refusal(421, self._strange_host(headers.get("host", "")))
        origin = headers.get("origin")
        if origin is not None and not _same(origin, headers["host"]):
            return Refusal(403, f"a page of {origin} may not ask this one; open this page itself")
        if origin is None and _from_elsewhere(method, headers):
            return Refusal(403, "another site may not load parts of this page; open it by itself")
        return None

    def admits(self, headers: Headers, cookie: str | None) -> bool:
        """Whether a request carries the token, as `Authorization: Bearer` or in the cookie that a login sets."""
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.knows(given.strip()):
            return True
        return cookie is not None and _equal(cookie, self.proof())

    def knows(self, token: str) -> bool:
        """Whether this is the token. Takes the same time for every wrong one."""
        return self.token is not None and _equal(token, self.token)

    def proof(self) -> str:
        """What the cookie holds instead of the token: it opens this page, and says nothing about the token."""
        if self.token is None:
            raise AssertionError("a page without a token sets no cookie")
        return hmac.new(self.token.encode(), b"emotional-ai page", hashlib.sha256).hexdigest()

    def _is_ours(self, host: str) -> bool:
        return host in self.names or (self.any_address and _is_address(host))

    def _strange_host(self, host: str) -> str:
        allowed = ", ".join(sorted(self.names))
        asked = f"this is not {host}" if host else "the request does not say whom it is for"
        return f"{asked}; this page is {allowed}. Start it with --allow-host NAME to have it reached by another name"


def _named(host: str) -> str | None:
    """The name or address in a Host header, without the port; None if it is no such header."""
    found = _HOST.fullmatch(host.strip().lower())
    return found[1].strip("[]") if found else None


def _same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:  # half of an address of IPv6
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and parts.netloc == host.strip().lower()


def _from_elsewhere(method: str, headers: Headers) -> bool:
    """Whether a browser says that another site asks, other than by a link that was followed."""
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    followed = all(headers.get(name) == value for name, value in _NAVIGATION.items())
    return method != "GET" or not followed


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(hashlib.sha256(one.encode()).digest(), hashlib.sha256(other.encode()).digest())
