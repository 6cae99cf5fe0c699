"""What one reply must keep to: what the guard finds in the words, what still holds from before, what is to be disclosed.

Words of a conversation that are sent along with a request lower by themselves, on any replica and after a restart. What lowers
a session for minutes, and how often a session was told what it is told now and then, this process alone remembers: of as many
sessions as it can, and only until it ends. A session it has forgotten is told again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

from emotional_ai_service.callers import caller
from emotional_ai_service.safeguard.safeguard import Found, Lasting, Off, Safeguard

REMEMBERED: Final = 100_000
"""Sessions of which is remembered how often they were told, and as many that are lowered."""
SHORT: Final = 4_096
"""Characters that are looked at on the event loop: a millisecond or two at most."""
_US_PER_MINUTE: Final = 60_000_000

_Key = tuple[str, str]
"""Tenant and session."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the person is told now and then, such as that a program answers."""

    text: str = ""
    """Empty: nothing."""
    every: int = 10
    """Told with the first reply of a session, and with every so manieth after it; at least 1."""


@dataclass(frozen=True, slots=True)
class Restraint:
    """What one reply must keep to."""

    flags: tuple[str, ...] = ()
    intensity: float = 1.0
    """The most it may express, in [0, 1]."""
    disclosures: tuple[str, ...] = ()
    """What the person should be told because of what they said."""


UNRESTRAINED: Final = Restraint()


@final
class Oversight:
    """Looks after replies. `clock` returns wall microseconds since the epoch; `remembered` sessions are remembered at most."""

    def __init__(
        self,
        clock: Callable[[], int],
        safeguard: Safeguard | None = None,
        notice: Notice | None = None,
        *,
        remembered: int = REMEMBERED,
    ) -> None:
        self._remembered = remembered
        self._clock = clock
        self._safeguard = safeguard or Off()
        self._notice = notice or Notice()
        self._told: OrderedDict[_Key, int] = OrderedDict()
        self._lowered: OrderedDict[_Key, list[tuple[int, float]]] = OrderedDict()

    async def restrain(self, session_id: str, text: str, history: Sequence[str] = ()) -> Restraint:
        """What the reply to `text`, said after `history`, must keep to; `session_id` is empty for one under no session."""
        found = await self._looked(text, history)
        intensity = min(found.intensity, self._held(session_id, found.lasting))
        if not found.flags and intensity == 1:
            return UNRESTRAINED
        return Restraint(found.flags, intensity, found.disclosures)

    def disclosure(self, session_id: str, restraint: Restraint) -> str:
        """What a client should tell the person as the reply begins, a line each; counts the reply."""
        notice = self._notice.text if self._notice.text and self._due(session_id) else ""
        return "\n".join(line for line in (notice, *restraint.disclosures) if line)

    async def _looked(self, text: str, history: Sequence[str]) -> Found:
        if len(text) + sum(map(len, history)) <= SHORT:
            return self._safeguard.look(text, history)
        return await asyncio.to_thread(self._safeguard.look, text, history)

    def _due(self, session_id: str) -> bool:
        if not session_id:
            return True
        key = caller().tenant, session_id
        replies = self._told.pop(key, 0)
        self._told[key] = (replies + 1) % self._notice.every
        while len(self._told) > self._remembered:
            self._told.popitem(last=False)
        return replies == 0

    def _held(self, session_id: str, lasting: Sequence[Lasting]) -> float:
        """The most a session may express now, with what lowers it from now on."""
        if not session_id or not (lasting or self._lowered):
            return 1.0
        key, now = (caller().tenant, session_id), self._clock()
        holding = [one for one in self._lowered.pop(key, ()) if one[0] > now]
        # A lowering that another outlasts, at least as low, adds nothing: the list stays as short as there are rules.
        for minutes, intensity in lasting:
            until = now + round(minutes * _US_PER_MINUTE)
            holding = [one for one in holding if one[0] > until or one[1] < intensity]
            if not any(end >= until and low <= intensity for end, low in holding):
                holding.append((until, intensity))
        if holding:
            self._lowered[key] = holding
            while len(self._lowered) > self._remembered:
                self._lowered.popitem(last=False)
        return min((intensity for _, intensity in holding), default=1.0)
