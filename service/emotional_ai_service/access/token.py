"""An API token: how it is made and written, and what is kept of it.

A token reads `ea_<id>_<secret>`: its id is public and names it in lists and logs; its secret is 256 random bits. Only the
SHA-256 of the whole is kept. A slow hash would add nothing: it makes guessing at words and dates dear, and 256 random bits are
beyond guessing at any speed, while each call pays for the hash once more.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, replace
from typing import Final, Self

from emotional_ai_service.callers import Scope

FORM: Final = "ea_<id>_<secret>"
_WRITTEN: Final = re.compile(r"ea_([0-9a-f]{8})_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a secret."""

    digest: bytes
    """SHA-256 of the token as it is written."""
    until_us: int | None = None
    """Wall microseconds since the epoch at which a rotated secret ends; None while it is the token's own."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token. Times are wall microseconds since the epoch."""

    token_id: str
    tenant: str
    scopes: frozenset[Scope]
    created_us: int
    expires_us: int | None = None
    """None for one that does not expire."""
    note: str = ""
    secrets: tuple[Kept, ...] = ()
    """The newest first; older ones while a rotation lets them overlap."""

    def expired(self, now_us: int) -> bool:
        """Whether the token as a whole has ended."""
        return self.expires_us is not None and self.expires_us <= now_us

    def ends(self) -> list[int]:
        """When it or one of its secrets ends, as far as they do."""
        return [end for end in (self.expires_us, *(kept.until_us for kept in self.secrets)) if end is not None]

    def accepts(self, digest: bytes, now_us: int) -> bool:
        """Whether this is the digest of a secret that holds now. Takes the same time for every wrong one."""
        known = False
        for kept in self.secrets:
            same = secrets.compare_digest(kept.digest, digest)
            known |= same and (kept.until_us is None or now_us < kept.until_us)
        return known

    def rotated(self, written: str, now_us: int, overlap_us: int) -> Self:
        """With a new secret; those that hold now do so for `overlap_us` more, or as long as they were left before."""
        ends = now_us + overlap_us
        older = tuple(
            replace(kept, until_us=ends if kept.until_us is None else min(kept.until_us, ends))
            for kept in self.secrets
            if kept.until_us is None or now_us < kept.until_us
        )
        return replace(self, secrets=(Kept(digest_of(written)), *(older if overlap_us else ())))


def new_id() -> str:
    """An id: eight hexadecimal digits."""
    return secrets.token_hex(4)


def written(token_id: str) -> str:
    """A token of that id, with a new secret: it is shown once, and kept nowhere."""
    return f"ea_{token_id}_{secrets.token_hex(32)}"


def digest_of(text: str) -> bytes:
    """What is kept of a token instead of it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def id_of(text: str) -> str | None:
    """The id of a token as it is written; None for what is none."""
    found = _WRITTEN.fullmatch(text)
    return found[1] if found else None
