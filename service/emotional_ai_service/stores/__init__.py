"""Where the logs of sessions are kept.

base      what every store promises, and the errors
memory    in memory, gone with the process
"""

from emotional_ai_service.stores.base import (
    MARKS_KEPT,
    NO_MARKS,
    AlreadyExists,
    NotFound,
    Record,
    SessionRow,
    Snapshot,
    Store,
    StoreClosed,
    StoreCorrupt,
    StoreError,
    StoreForeign,
    StoreLocked,
    StoreOverloaded,
    StoreTooNew,
    StoreUnavailable,
    StoreUnusable,
    StoreUnwritable,
    VersionConflict,
)
from emotional_ai_service.stores.memory import MemoryStore

__all__ = [
    "MARKS_KEPT",
    "NO_MARKS",
    "AlreadyExists",
    "MemoryStore",
    "NotFound",
    "Record",
    "SessionRow",
    "Snapshot",
    "Store",
    "StoreClosed",
    "StoreCorrupt",
    "StoreError",
    "StoreForeign",
    "StoreLocked",
    "StoreOverloaded",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUnusable",
    "StoreUnwritable",
    "VersionConflict",
]
