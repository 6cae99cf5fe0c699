"""What the page is started with."""

import ipaddress
import re
from dataclasses import dataclass, field

from emotional_ai.connection import check_token, is_loopback
from emotional_ai.credentials import Credentials
from emotional_ai.names import DEFAULT_SESSION, session_id

DEFAULT_PORT = 8080
LEAST_TOKEN = 16
"""Characters of a token that others could guess at."""
HOW_MADE = "python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Raises ValueError for settings under which anyone on the network could come in, or somebody who is allowed could not."""

    target: str
    """HOST:PORT of the service."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = DEFAULT_PORT
    """Port to listen on; 0 takes a free one."""
    session: str = DEFAULT_SESSION
    """The session shown first; made if it does not exist."""
    token: str | None = field(default=None, repr=False)
    """What a visitor must know; needed, and 16 characters or more, as soon as others can come in."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names the page may be reached by, without a port."""
    credentials: Credentials = field(default_factory=Credentials)
    """By which the service knows the page: whoever comes in acts as whom they belong to."""

    def __post_init__(self) -> None:
        try:
            session_id(self.session)
        except ValueError as error:
            raise ValueError(f"--session: {error}") from error
        for name in self.allowed_hosts:
            if not _nameable(name):
                raise ValueError(
                    f"--allow-host takes a host name or address without scheme and port, such as mood.example; got {name!r}"
                )
        self.credentials.of_channel(self.target)
        if self.token is not None:
            check_token(self.token)
        if self.others_come_in:
            self._check_secret()

    @property
    def others_come_in(self) -> bool:
        """Whether anyone beyond this machine reaches the page; by a further name it is through a proxy or a tunnel."""
        return bool(self.allowed_hosts) or not is_loopback(self.host)

    def _check_secret(self) -> None:
        if self.token is None:
            raise ValueError(
                f"{self._opened_by()} lets others in, so a token is needed: give --token, or EMOTIONAL_AI_WEB_TOKEN "
                f"in the environment, made by {HOW_MADE}; or leave that out and listen on 127.0.0.1"
            )
        if len(self.token) < LEAST_TOKEN:
            raise ValueError(
                f"{self._opened_by()} lets others in, so the token has {LEAST_TOKEN} or more characters, "
                f"got {len(self.token)}; make one by {HOW_MADE}"
            )

    def _opened_by(self) -> str:
        return f"--allow-host {self.allowed_hosts[0]}" if is_loopback(self.host) else f"--host {self.host}"


def _nameable(host: str) -> bool:
    if _HOST_NAME.fullmatch(host):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).version == 6
    except ValueError:
        return False
