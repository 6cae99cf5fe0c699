"""Tokens of a service that is measured."""

import time
from pathlib import Path

from emotional_ai_service.access import TokenFile
from emotional_ai_service.access.token import Kept, Token, digest_of, new_id, written
from emotional_ai_service.callers import DEFAULT_TENANT, Scope


def token_in(path: Path, tenant: str = DEFAULT_TENANT, *, among: int = 1) -> str:
    """A token that may do everything, in a new file of so many."""
    texts = [written(new_id()) for _ in range(among)]
    TokenFile(path).change(lambda _: [_made(text, tenant) for text in texts])
    return texts[-1]


def _made(text: str, tenant: str) -> Token:
    secrets = (Kept(digest_of(text)),)
    return Token(text.split("_")[1], tenant, frozenset(Scope), time.time_ns() // 1000, secrets=secrets)
