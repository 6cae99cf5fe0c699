"""How many sessions are in memory, over all engines that share the room; the least recently used idle ones leave first."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Protocol, final

if TYPE_CHECKING:  # The command line takes the number from here, and needs no engine for it.
    from emotional_ai_service.session import Session

LIVE_SESSIONS: Final = 4096
"""Sessions in memory where nobody says how many."""


class Owner(Protocol):
    """Whose session is in memory; kept alive by its sessions."""

    def let_go(self, session: "Session") -> None:
        """Forgets a session, which is idle."""
        ...


@final
class Room:
    """Room for `limit` sessions. Sessions that are watched or written to stay, even beyond it."""

    def __init__(self, limit: int = LIVE_SESSIONS) -> None:
        self._limit = limit
        self._owners: OrderedDict[Session, Owner] = OrderedDict()

    def __len__(self) -> int:
        return len(self._owners)

    def enter(self, session: "Session", owner: Owner) -> None:
        """A session has come into memory; others leave for it where there is no room."""
        self._owners[session] = owner
        while len(self._owners) > self._limit:
            idle = next((one for one in self._owners if one.idle and one is not session), None)
            if idle is None:
                break
            self._owners.pop(idle).let_go(idle)

    def use(self, session: "Session") -> None:
        """A session is used now."""
        if session in self._owners:
            self._owners.move_to_end(session)

    def leave(self, session: "Session") -> None:
        """A session is no longer in memory."""
        self._owners.pop(session, None)
