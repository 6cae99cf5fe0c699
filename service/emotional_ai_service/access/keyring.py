"""The tokens the service knows now, and by which of them a caller is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from emotional_ai_service.access.token import Kept, Token, digest_of, id_of
from emotional_ai_service.errors import TokenExpired, TokenUnknown

_NOBODY: Final = Token("", "", frozenset(), 0, secrets=(Kept(bytes(32)),))
"""Compared with where there is no such id, so that this takes as long as a wrong secret."""


_NEVER: Final = 2**63


@dataclass(frozen=True, slots=True)
class Shown:
    """A token as it was shown by a caller: what is needed to ask again whether it holds."""

    token_id: str
    digest: bytes


class Keyring:
    """Tokens by their ids."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = {token.token_id: token for token in tokens}

    def __len__(self) -> int:
        return len(self._tokens)

    def next_end(self, now_us: int) -> int:
        """When the next token or rotated secret ends, in wall microseconds since the epoch; far away if none will."""
        ends = (end for token in self._tokens.values() for end in token.ends())
        return min((end for end in ends if end > now_us), default=_NEVER)

    def known(self, text: str, now_us: int) -> tuple[Token, Shown]:
        """The token that is written so.

        Raises TokenUnknown, in the same words and after the same work for a wrong id and a wrong secret; and TokenExpired to
        whoever knows the secret.
        """
        shown = Shown(id_of(text) or "", digest_of(text))
        return self.still(shown, now_us), shown

    def still(self, shown: Shown, now_us: int) -> Token:
        """The token that was shown, as it is now. Raises as `known`."""
        token = self._tokens.get(shown.token_id, _NOBODY)
        if not token.accepts(shown.digest, now_us):
            raise TokenUnknown
        if token.expired(now_us):
            raise TokenExpired(token.token_id)
        return token
