"""Who listens to a conversation, and what they are told: turns whole, and a reply bit by bit while it is spoken."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emotional_ai.web.conversation.reply import Reply
from emotional_ai.web.conversation.throttle import Throttle
from emotional_ai.web.conversation.tinted import Part, Voice
from emotional_ai.web.conversation.turn import Turn

logger = logging.getLogger(__name__)

GROWTH_SECONDS: Final = 0.05
"""Least time between two parts of a reply that are told."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A reply has gone on."""

    key: str
    voices: tuple[Voice, ...]
    """Those that are new."""
    parts: tuple[Part, ...]
    tokens: int
    """Tokens said so far."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is still kept, and what of it is sent along: both begin with the turn of this number."""

    kept: int
    sent: int


Told = Turn | Grown | Bounds
Listener = Callable[[Told], None]


class Audience:
    """Tells listeners, and waits for none of them; what a reply grows by is gathered and told now and then."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}
        self._growing: Reply | None = None
        self._voices: list[Voice] = []
        self._parts: list[Part] = []
        self._throttle = Throttle(GROWTH_SECONDS, self._tell_growth)

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def join(self, listener: Listener) -> Callable[[], None]:
        """Tells a listener what is new from now on. What is returned ends that."""
        self._tell_growth()  # to those who were here: whoever joins reads it for himself
        key = object()
        self._listeners[key] = listener

        def leave() -> None:
            self._listeners.pop(key, None)

        return leave

    def tell(self, told: Told) -> None:
        """Tells at once. A turn is told with all that was said in it, so that nothing gathered is left to tell."""
        if isinstance(told, Turn):
            self._forget_growth()
        for listener in list(self._listeners.values()):
            try:
                listener(told)
            except Exception:
                logger.exception("a page could not show what was said")

    def voice(self, reply: Reply, voice: Voice) -> None:
        """A reply goes on in another voice; told with its next part."""
        self._growing = reply
        self._voices.append(voice)

    def part(self, reply: Reply, part: Part) -> None:
        """A reply goes on."""
        self._growing = reply
        self._parts.append(part)
        self._throttle.due()

    def _tell_growth(self) -> None:
        if self._growing is not None:
            grown = Grown(self._growing.key, tuple(self._voices), tuple(self._parts), self._growing.tokens)
            self._forget_growth()
            self.tell(grown)

    def _forget_growth(self) -> None:
        self._growing = None
        self._voices.clear()
        self._parts.clear()
