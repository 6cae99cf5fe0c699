"""What a bridge is started with."""

from dataclasses import dataclass
from enum import Enum

from emotional_ai.connection import DEFAULT_TARGET
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
