"""Settings of limits and of the audit log."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What tenants may use."""

    path: Path
    """The file that says so; read again when it changes."""
    usage: Path
    """Where what was used today is kept, for the next start. One service's own."""
    reread_seconds: float = 1.0
    """Between looks at whether the file of limits changed, and between writes of what was used; more than 0."""


class AuditWhenFull(Enum):
    """What happens to calls that change something while the audit log cannot be written."""

    REFUSE = "refuse"
    """They are refused with UNAVAILABLE; nothing is changed unseen."""
    SERVE = "serve"
    """They are served; lines that find no room are lost, which the log says loudly and the next line counts."""


class AuditSync(Enum):
    """When a line of the audit log is on the disk."""

    SECOND = "second"
    """Written within about 10 ms and forced to the disk within about a second; the answer does not wait."""
    EACH = "each"
    """Forced to the disk before the answer is sent."""


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Where it is written who changed what."""

    path: Path
    when_full: AuditWhenFull = AuditWhenFull.REFUSE
    sync: AuditSync = AuditSync.SECOND
