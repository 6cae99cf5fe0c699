"""The file of tokens: read by the service, changed by `emotional-ai tokens`.

A change takes a lock beside the file and replaces the file whole, so that a reader meets the old one or the new one.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from emotional_ai_service.access.errors import TokensUnusable
from emotional_ai_service.access.records import of_text, to_text
from emotional_ai_service.access.token import Token
from emotional_ai_training.whole_files import write_whole

LOCK_SECONDS: Final = 10.0
"""How long a change waits for another one."""
OWNERS: Final = 0o600
LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a file of tokens."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file of tokens, readable and writable by its owner alone."""

    path: Path

    def read(self) -> list[Token]:
        """The tokens. Raises TokensUnusable for a file that cannot be read, is damaged, or can be written by others."""
        try:
            with self.path.open("rb") as file:
                seen = os.fstat(file.fileno())
                if seen.st_mode & 0o022:
                    raise self._unusable(f"can be written by others; mend it with: chmod 600 {self.path}")
                text = file.read(LARGEST + 1)
        except FileNotFoundError as error:
            made = f"emotional-ai tokens add --tokens {self.path} --scope read --scope write"
            raise self._unusable(f"is not there; make it with: {made}") from error
        except OSError as error:
            raise self._unusable(f"cannot be read: {error.strerror or error}") from error
        if len(text) > LARGEST:
            raise self._unusable(f"is larger than {LARGEST} bytes")
        try:
            return of_text(text.decode())
        except (TokensUnusable, UnicodeDecodeError) as error:
            raise self._unusable(str(error)) from error

    def change(self, changed: Callable[[Sequence[Token]], Sequence[Token]]) -> None:
        """Replaces the tokens by what `changed` makes of them; a file that is not there is made.

        Raises TokensUnusable, and what `changed` raises; the file is then as it was.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS, mode=OWNERS):
                known = self.read() if self.path.exists() else []
                # A link, as deployments make them, stays one.
                write_whole(self.path.resolve(), to_text(changed(known)).encode(), OWNERS)
        except Timeout as error:
            raise self._unusable(f"is being changed by another command since {LOCK_SECONDS:g} s") from error
        except OSError as error:
            raise self._unusable(f"cannot be written: {error.strerror or error}") from error

    def _unusable(self, why: str) -> TokensUnusable:
        return TokensUnusable(f"the file of tokens {self.path} {why}")
