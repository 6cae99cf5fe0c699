"""The tokens the service knows now, and by which of them a caller is known."""

from collections.abc import Iterable
from typing import Final

from emotional_ai_service.access.token import Kept, Token
from emotional_ai_service.callers import Caller
from emotional_ai_service.errors import TokenExpired, TokenUnknown

_NOBODY: Final = Token("", "", frozenset(), 0, secrets=(Kept(bytes(32)),))
"""Compared with where there is no such id, so that this takes as long as a wrong secret."""
_NEVER: Final = 2**63


class Keyring:
    """Tokens by their ids."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = {token.token_id: token for token in tokens}
        self._callers = {
            token.token_id: Caller(token.tenant, token.scopes, token.token_id) for token in self._tokens.values()
        }

    def __len__(self) -> int:
        return len(self._tokens)

    def next_end(self, now_us: int) -> int:
        """When the next token or rotated secret ends, in wall microseconds since the epoch; far away if none will."""
        ends = (end for token in self._tokens.values() for end in token.ends())
        return min((end for end in ends if end > now_us), default=_NEVER)

    def known(self, token_id: str, digest: bytes, now_us: int) -> Caller:
        """Who shows a token of that id, written so that its digest is this one.

        Raises TokenUnknown, in the same words and after the same work for a wrong id and a wrong secret; and TokenExpired to
        whoever knows the secret.
        """
        token = self._tokens.get(token_id, _NOBODY)
        if not token.accepts(digest, now_us):
            raise TokenUnknown
        if token.expired(now_us):
            raise TokenExpired(token_id)
        return self._callers[token_id]
