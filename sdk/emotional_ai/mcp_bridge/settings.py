"""What a bridge is started with."""

from dataclasses import dataclass, field
from enum import Enum

from emotional_ai.connection import DEFAULT_TARGET
from emotional_ai.credentials import Credentials
from emotional_ai.names import DEFAULT_SESSION


class Toolset(Enum):
    """Tools that are offered together."""

    EMOTION = "emotion"
    """Reads and moves states."""
    INFERENCE = "inference"
    """Has the agent speak."""
    TRAINING = "training"
    """Starts, follows and stops trainings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a bridge is started with."""

    target: str = DEFAULT_TARGET
    """Address of the service, host:port."""
    session: str = DEFAULT_SESSION
    """Session that calls use which name none; made when it is first needed, unless the bridge only reads."""
    toolsets: frozenset[Toolset] = frozenset({Toolset.EMOTION})
    read_only: bool = False
    """Offer only tools that change nothing."""
    autostart: bool = False
    """Start a service where none answers; on the loopback interface only."""
    credentials: Credentials = field(default_factory=Credentials)
    """By which the service knows the bridge."""

    def offers(self, toolset: Toolset, *, changing: bool = False) -> bool:
        """Whether tools of a toolset are offered, be it those that change something."""
        return toolset in self.toolsets and not (changing and self.read_only)


def toolset_names() -> str:
    """The toolsets there are, in a list for people."""
    return ", ".join(one.value for one in Toolset)


def toolsets(text: str) -> frozenset[Toolset]:
    """Toolsets by their names, separated by commas; at least one. Raises ValueError naming those there are not."""
    given = {one.strip() for one in text.split(",") if one.strip()}
    unknown = sorted(given.difference(one.value for one in Toolset))
    if unknown or not given:
        raise ValueError(
            f"{', '.join(unknown) or 'nothing'} is no toolset; there are {toolset_names()}, separated by commas"
        )
    return frozenset(map(Toolset, given))
