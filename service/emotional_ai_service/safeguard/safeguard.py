"""A guard: looks at what the person says, and tells how far a reply to it is to be lowered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, final


class Lasting(NamedTuple):
    """A lowering that outlasts the reply."""

    minutes: float
    """Wall minutes from now, above 0."""
    intensity: float
    """The most that is expressed meanwhile, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a guard found."""

    flags: tuple[str, ...] = ()
    """Names of what is in the words themselves, each once; nothing of the words."""
    intensity: float = 1.0
    """The most that a reply may express, in [0, 1]; earlier words of the conversation may still hold it down."""
    disclosures: tuple[str, ...] = ()
    """What the person should be told because of these words."""
    lasting: tuple[Lasting, ...] = ()


NOTHING_FOUND: Final = Found()


class Safeguard(Protocol):
    """Looks at words before they are answered. Pure, and quick: it runs on the event loop, for long ones in a thread."""

    def look(self, text: str, history: Sequence[str], /) -> Found:
        """What is in `text`, said by the person after `history`, oldest first."""
        ...


@final
class Off:
    """Looks at nothing."""

    def look(self, _text: str, _history: Sequence[str], /) -> Found:
        """Nothing."""
        return NOTHING_FOUND
