"""Where the logs of sessions are kept.

base                 what every store promises, and the errors
memory               in memory, gone with the process
transient            in memory, beside those of another store
sqlite               in one file: the store
sqlite_writer        its writing thread
sqlite_transaction   many appends as one transaction
sqlite_file          its file: ownership, beginnings, damage
"""

from emotional_ai_service.stores.base import (
    LASTING,
    LASTING_KEPT,
    MARKS_KEPT,
    NO_MARKS,
    TRANSIENT,
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
    TransientFull,
    VersionConflict,
)
from emotional_ai_service.stores.memory import MemoryStore
from emotional_ai_service.stores.sqlite import SqliteStore
from emotional_ai_service.stores.sqlite_file import Durability
from emotional_ai_service.stores.transient import TRANSIENT_SESSIONS, TransientStore

__all__ = [
    "LASTING",
    "LASTING_KEPT",
    "MARKS_KEPT",
    "NO_MARKS",
    "TRANSIENT",
    "TRANSIENT_SESSIONS",
    "AlreadyExists",
    "Durability",
    "MemoryStore",
    "NotFound",
    "Record",
    "SessionRow",
    "Snapshot",
    "SqliteStore",
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
    "TransientFull",
    "TransientStore",
    "VersionConflict",
]
