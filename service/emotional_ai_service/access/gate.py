"""The gate every rpc passes where the service has tokens: who calls, and whether they may.

A call is let in by the token in its metadata; a stream that was let in ends soon after its token no longer holds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from emotional_ai_service.access.errors import TokensUnusable
from emotional_ai_service.access.guesses import Guesses, address_of
from emotional_ai_service.access.keyring import Keyring
from emotional_ai_service.access.scopes import allows
from emotional_ai_service.access.settings import AccessSettings
from emotional_ai_service.access.token import digest_of, id_of
from emotional_ai_service.access.token_file import TokenFile
from emotional_ai_service.alongside import alongside
from emotional_ai_service.callers import Caller, Scope, called_by, tenant_name
from emotional_ai_service.errors import (
    InvalidRequest,
    NoToken,
    ScopeMissing,
    ServiceError,
    TokenGuessing,
    TokenUnknown,
    Violation,
)
from emotional_ai_service.reread import Reread

AUTHORIZATION: Final = "authorization"
TENANT: Final = "emotional-tenant"
"""Metadata by which an ADMIN acts for another tenant."""
LONGEST: Final = 256
"""Characters of an authorization that is looked at."""

log = logging.getLogger(__name__)


class Call(Protocol):
    """What the gate asks of a call; the context of a gRPC servicer."""

    def invocation_metadata(self) -> object:
        """Pairs of key and value."""

    def peer(self) -> str:
        """Who calls, as gRPC names it."""


Admitted = tuple[str, bytes, tuple[Scope, ...]]
"""By what a call was let in: the id and the digest of its token, and the scopes it needs."""


@dataclass(slots=True, eq=False)
class _Held:
    """A stream that was let in."""

    by: Admitted
    limit: asyncio.Timeout
    lapsed: ServiceError | None = None


class Gate:
    """Lets calls in by the tokens of a keyring, which may be replaced at any time."""

    def __init__(self, keyring: Keyring, clock: Callable[[], int]) -> None:
        """`clock` tells wall microseconds since the epoch."""
        self._keyring = keyring
        self._clock = clock
        self._guesses = Guesses()
        self._held: set[_Held] = set()
        self._sweep_at = 0
        """Wall microseconds at which streams are to be looked at."""

    def admit(self, scope: Scope, call: Call) -> Admitted:
        """Lets a call in that needs a scope; `caller()` says from then on who it is.

        Raises NoToken, TokenUnknown, TokenExpired, TokenGuessing, ScopeMissing, or InvalidRequest for a tenant that cannot be.
        """
        authorization, tenant = _shown(call.invocation_metadata())
        token_id, digest = id_of(authorization) or "", digest_of(authorization)
        try:
            who = self._keyring.known(token_id, digest, self._clock())
        except TokenUnknown:
            wait = self._guesses.wait(call.peer(), asyncio.get_running_loop().time())
            if wait:
                raise TokenGuessing(wait) from None
            named = f"of the id {token_id}" if token_id else "of another form"
            log.warning("a token that is not known, %s, was shown by %s", named, address_of(call.peer()))
            raise
        elsewhere = bool(tenant) and tenant != who.tenant
        needed = (scope, Scope.ADMIN) if elsewhere else (scope,)
        _allowed(who, needed)
        called_by(replace(who, tenant=_named(tenant)) if elsewhere else who)
        return token_id, digest, needed

    @asynccontextmanager
    async def hold(self, scope: Scope, call: Call) -> AsyncIterator[None]:
        """Lets a stream in as `admit` does, and ends what is inside by the same errors once its token no longer holds."""
        held = _Held(self.admit(scope, call), asyncio.timeout(None))
        try:
            async with held.limit:
                self._held.add(held)
                try:
                    yield
                finally:
                    self._held.discard(held)
        except TimeoutError:
            if held.lapsed is None:
                raise
            raise held.lapsed from None

    def replace(self, keyring: Keyring) -> None:
        """Lets calls in by these tokens from now on, and ends the streams of others."""
        self._keyring = keyring
        self._sweep_at = 0
        self.sweep()

    def sweep(self) -> None:
        """Ends the streams whose tokens no longer hold; costs nothing while no token has changed or ended."""
        now = self._clock()
        if now < self._sweep_at:
            return
        self._sweep_at = self._keyring.next_end(now)
        for held in [one for one in self._held if one.lapsed is None]:
            token_id, digest, needed = held.by
            try:
                _allowed(self._keyring.known(token_id, digest, now), needed)
            except ServiceError as error:
                held.lapsed = error
                held.limit.reschedule(asyncio.get_running_loop().time())


@asynccontextmanager
async def gated(settings: AccessSettings, clock: Callable[[], int]) -> AsyncIterator[Gate | None]:
    """A gate by the file of tokens, which is read again when it changes; none where there is no such file.

    A file that is damaged later is logged, and the last good one stays. Raises TokensUnusable where it cannot be read at first.
    """
    if settings.tokens is None:
        yield None
        return
    file = TokenFile(settings.tokens)
    keyrings = Reread((file.path,), lambda: Keyring(file.read()), TokensUnusable)
    gate = Gate(await asyncio.to_thread(keyrings.read), clock)
    async with alongside(_watch(gate, keyrings, settings.reread_seconds), "tokens"):
        yield gate


async def _watch(gate: Gate, keyrings: Reread[Keyring], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            gate.sweep()
            keyring = await asyncio.to_thread(keyrings.changed)
            if keyring is not None:
                gate.replace(keyring)
        except Exception:  # A fault of ours must not keep a token in force that is revoked later.
            log.exception("the tokens could not be looked at")


def _shown(metadata: object) -> tuple[str, str]:
    """The token and the tenant that metadata names, empty where it names none. Raises NoToken without a single token."""
    tokens: list[str] = []
    tenants: list[str] = []
    for key, value in metadata or ():  # type: ignore[attr-defined]
        if key == AUTHORIZATION:
            tokens.append(value if isinstance(value, str) else value.decode("latin-1"))
        elif key == TENANT:
            tenants.append(value if isinstance(value, str) else value.decode("latin-1"))
    if len(tokens) != 1:
        raise NoToken
    kind, _, token = tokens[0][:LONGEST].partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise NoToken
    return token.strip(), ", ".join(tenants)  # two tenants are no tenant's name


def _allowed(who: Caller, needed: Iterable[Scope]) -> None:
    for scope in needed:
        if not allows(who.scopes, scope):
            raise ScopeMissing(scope.value, who.token_id)


def _named(named: str) -> str:
    try:
        return tenant_name(named)
    except ValueError as error:
        raise InvalidRequest([Violation(TENANT, str(error))]) from None
