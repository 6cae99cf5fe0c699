"""The targets there are, and how much of all inputs goes to each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hostile.bridging import bridging
from hostile.doors import doors
from hostile.exports import exports
from hostile.rpcs import rpcs
from hostile.running import Opened
from hostile.sequences import sequences
from hostile.tinkering import tinkering
from hostile.wired import wired


@dataclass(frozen=True, slots=True)
class Aim:
    """A target, and its part of all inputs."""

    opened: Opened
    part: float


COURSES: Final[Mapping[str, Aim]] = {
    "rpcs": Aim(rpcs, 0.4),
    "sequences": Aim(sequences, 0.2),
    "exports": Aim(exports, 0.14),
    "wired": Aim(wired, 0.02),
    "tinkering": Aim(tinkering, 0.04),
    "bridging": Aim(bridging, 0.1),
    "doors": Aim(doors, 0.1),
}
GROWTH: Final = 64 << 20
"""Bytes by which a target may make the process grow once it is warm."""
