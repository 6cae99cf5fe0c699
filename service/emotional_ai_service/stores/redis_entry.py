"""Names of sessions in the index, each for one life of its id."""

import secrets
import time
from dataclasses import dataclass
from typing import Final

STALE_SECONDS: Final = 3_600
"""Age from which an entry without its session is one that a process left over, not one that is just being begun."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One life of a session in the index."""

    session_id: str
    token: str
    """Wall milliseconds of the beginning and a random number, 20 hexadecimal digits."""

    @classmethod
    def new(cls, session_id: str) -> "Entry":
        """A life that begins now. Raises ValueError for an id with a zero byte, which ends ids in the index."""
        if "\0" in session_id:
            raise ValueError(f"session id {session_id!r} has a zero byte")
        return cls(session_id, f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}")

    @property
    def name(self) -> str:
        """Its name in the index."""
        return f"{self.session_id}\0{self.token}"

    @property
    def stale(self) -> bool:
        """Whether it is too old to be of a session that is just being begun."""
        return time.time() - int(self.token[:12], 16) / 1e3 > STALE_SECONDS
