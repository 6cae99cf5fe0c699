"""Where the logs of sessions are kept.

base                 what every store promises, and the errors
memory               in memory, gone with the process
transient            in memory, beside those of another store
sqlite               in one file: the store
sqlite_writer        its writing thread
sqlite_transaction   many appends as one transaction
sqlite_file          its file: ownership, beginnings, damage
sqlite_scrub         what was deleted leaves the file
sqlite_wal           its write-ahead log: what is whole, what is damaged
redis                in a Redis server that several processes share: the store
redis_address        where the server is
redis_fitness        whether it can keep what is promised
redis_connection     one connection to it
redis_lane           a connection kept up, and the fate of what was on its way
redis_errors         what is told when it fails
redis_operations     what is asked of the server
redis_scripts        keys, and scripts that change them
redis_log            records of a session
redis_entry          a session in the index
redis_listing        sessions in order, out of the index
redis_watches        word of what other processes write

What needs the extra `redis` is imported by who opens that store, from its own module.
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
    StoreUncertain,
    StoreUnfit,
    StoreUnreachable,
    StoreUnusable,
    StoreUnwritable,
    TransientFull,
    VersionConflict,
)
from emotional_ai_service.stores.memory import MemoryStore
from emotional_ai_service.stores.redis_address import RedisAddress
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
    "RedisAddress",
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
    "StoreUncertain",
    "StoreUnfit",
    "StoreUnreachable",
    "StoreUnusable",
    "StoreUnwritable",
    "TransientFull",
    "TransientStore",
    "VersionConflict",
]
