"""Who calls: the tenant a call belongs to and what its token allows, known from the edge of the service inwards.

The guard sets the caller of each rpc before the servicer runs; whoever keeps something for a tenant asks `caller()`.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Scope(Enum):
    """What a token allows."""

    READ = "read"
    """Looking: states, histories, lists, previews, simulations, appraisals."""
    WRITE = "write"
    """Changing sessions, and speaking."""
    TRAIN = "train"
    """Starting and cancelling a tenant's own training jobs. Their adapters all tenants of the service share: what one trains
    replaces what was there, and everybody speaks with it. Files of the service's machine only ADMIN may name for training."""
    ADMIN = "admin"
    """All of these, and acting for another tenant by naming it."""


DEFAULT_TENANT: Final = "default"
"""The tenant of whoever calls a service without tokens."""
_TENANT: Final = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call."""

    tenant: str = DEFAULT_TENANT
    """1..64 lower-case letters, digits, `-`, `_`."""
    scopes: frozenset[Scope] = frozenset(Scope)
    token_id: str = ""
    """Public name of the token; empty for a service without tokens."""


ANYBODY: Final = Caller()
"""The caller of a service without tokens."""
_CALLER: Final[ContextVar[Caller]] = ContextVar("caller", default=ANYBODY)


def caller() -> Caller:
    """The caller of the rpc that is being served."""
    return _CALLER.get()


def called_by(who: Caller) -> None:
    """Sets the caller for the rest of this task."""
    _CALLER.set(who)


def tenant_name(text: str) -> str:
    """A name that a tenant may have. Raises ValueError for another."""
    if not _TENANT.fullmatch(text):
        raise ValueError(f"a tenant is named by 1 to 64 lower-case letters, digits, - or _, got {text[:80]!r}")
    return text
