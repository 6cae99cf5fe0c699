"""The file of a SQLite store: one owner at a time, begun whole or not at all, looked at before it is touched.

<file>        the database
<file>-wal    its write-ahead log, empty or gone after a clean end
<file>-shm    index of that log, rebuilt by SQLite
<file>.lock   held by the process that owns the store; its presence alone means nothing
<file>.new    a database being made; whatever is found there was abandoned
"""

import fcntl
import logging
import os
import shlex
import sqlite3
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import final

from emotional_ai_service.stores.base import (
    StoreCorrupt,
    StoreError,
    StoreForeign,
    StoreLocked,
    StoreTooNew,
    StoreUnavailable,
    StoreUnwritable,
)
from emotional_ai_service.stores.sqlite_wal import LogReading, read_log

APPLICATION_ID = 0x456D4149
"""Marks a database as ours in its header: "EmAI"."""
SCHEMA_VERSION = 1
PAGE_BYTES = 2_048
"""An append rewrites the last page of its session's log: half of SQLite's usual page is less to write."""
CHECKPOINT_BYTES = 16 * 2**20
"""Size of the write-ahead log at which it is folded into the database: four times SQLite's usual, as folding takes a sync."""
QUICK_CHECK_BYTES = 256 * 2**20
"""Databases up to this size are read through when opened (`python benchmarks/store.py` says how long that takes)."""
BUSY_SECONDS = 5.0
"""How long to wait for a foreign program that holds SQLite's own write lock."""

SCHEMA = (
    "CREATE TABLE sessions (key INTEGER PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, created_us INTEGER NOT NULL,"
    " updated_us INTEGER NOT NULL, version INTEGER NOT NULL) STRICT",
    "CREATE TABLE records (key INTEGER NOT NULL, sequence INTEGER NOT NULL, time_us INTEGER NOT NULL,"
    " payload BLOB NOT NULL, request_id TEXT, PRIMARY KEY (key, sequence)) STRICT, WITHOUT ROWID",
    "CREATE INDEX requests ON records (key, request_id) WHERE request_id IS NOT NULL",
    "CREATE TABLE marks (key INTEGER NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, version INTEGER NOT NULL,"
    " PRIMARY KEY (key, name)) STRICT, WITHOUT ROWID",
    "CREATE TABLE snapshots (key INTEGER PRIMARY KEY, version INTEGER NOT NULL, payload BLOB NOT NULL) STRICT",
)
"""`key` stands for a session in every table; the request id of an append is kept with the last record it wrote."""

_MAGIC = b"SQLite format 3\0"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FAILING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}

_log = logging.getLogger(__name__)


class Durability(Enum):
    """What an acknowledged write survives."""

    PROCESS = "process"
    """The end of the process, kill -9 included.

    A power cut may take the last moments, never the order; one that takes the middle of the log leaves a store that is refused.
    """
    POWER = "power"
    """A power cut as well: each group of writes is forced to the disk before it is acknowledged."""


@final
class FileLock:
    """Sole ownership of a store's file among processes; the kernel gives it up when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Takes the lock. Raises StoreLocked, or StoreUnwritable where no lock file can be."""
        lock_path = _beside(path, ".lock")
        try:
            self._file = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreUnwritable(path, f"cannot be opened for writing: {lock_path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            owner = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StoreLocked(path, f"is in use by process {owner}; stop that service or name another file") from error
        except OSError as error:
            os.close(self._file)
            raise StoreUnwritable(path, f"cannot be owned: {lock_path}: {error.strerror}") from error

    def release(self) -> None:
        """Lets go of the file."""
        os.close(self._file)


def open_database(path: Path, durability: Durability) -> sqlite3.Connection:
    """The writer's connection to the store at `path`, begun if there is nothing there. The caller holds its FileLock.

    Raises StoreUnusable, or StoreUnavailable if the disk fails; then what was there is as it was.
    """
    try:
        if not path.exists():
            _begin(path)
            return _connect_writer(path, durability)
        remains = _inspect(path, durability)
        database = _connect_writer(path, durability)
        if remains:
            # Before anything is written over their beginning, which would make the rest look like damage.
            try:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                _log.warning("the log of %s, with its torn end, stays beside it: %s", path, error)
        return database
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    except OSError as error:
        raise StoreUnwritable(path, f"cannot be opened for writing: {error.strerror}") from error


def connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    """A connection without implicit transactions, usable from any one thread at a time."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def store_error(path: Path, error: sqlite3.Error) -> StoreError | sqlite3.Error:
    """What a failure of SQLite means to the user of a store; the failure itself if it is a mistake of ours."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _DAMAGED:
        return StoreCorrupt(path, f"is damaged ({error}); restore it from a backup, or move it away to begin anew")
    if code in _FAILING:
        reason = f"{error} ({error.sqlite_errorname})"
        return StoreUnavailable(f"{path} cannot be used now: {reason}; make room on its disk, or mend what fails there")
    return error


def _connect_writer(path: Path, durability: Durability) -> sqlite3.Connection:
    database = connect(path)
    try:
        if database.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise StoreUnwritable(path, "lies on a file system without shared memory, which SQLite's WAL needs")
        database.execute(f"PRAGMA synchronous = {'FULL' if durability is Durability.POWER else 'NORMAL'}")
        database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // PAGE_BYTES}")
        database.execute("PRAGMA secure_delete = ON")
        database.execute("PRAGMA temp_store = MEMORY")  # so that nothing of a session is written beside the store
        database.execute(f"PRAGMA journal_size_limit = {4 * CHECKPOINT_BYTES}")
    except BaseException:
        database.close()
        raise
    return database


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _begin(path: Path) -> None:
    """Makes an empty store under another name first, so that a file under this name is always whole."""
    if _beside(path, "-wal").exists():
        raise StoreCorrupt(path, "is missing though its write-ahead log is there; restore it, or move that log away")
    draft = _beside(path, ".new")
    for suffix in ("", "-journal"):
        _beside(draft, suffix).unlink(missing_ok=True)
    with closing(connect(draft, "rwc")) as database:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("BEGIN")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for statement in SCHEMA:
            database.execute(statement)
        database.execute("COMMIT")
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _inspect(path: Path, durability: Durability) -> bool:
    """Raises StoreUnusable unless `path` is a sound store of ours; reads only, not even a checkpoint is made.

    True if the last transaction in its log is torn, so that remains of it are there.
    """
    with path.open("r+b") as file:
        header = file.read(100)
        size = file.seek(0, os.SEEK_END)
    if not header.startswith(_MAGIC) or len(header) < 100:
        problem = "is empty" if not header else "is not a database"
        raise StoreCorrupt(path, f"{problem}; name another file, or move it away to begin anew")
    log = _beside(path, "-wal")
    logged = log.exists() and log.stat().st_size > 0
    remains = logged and _check_log(path, log, durability)
    if not logged:
        _check_length(path, header, size)
    # Without a log to read, SQLite need not lock the file, nor leave an empty log and its index beside it.
    with closing(connect(path, "ro" if logged else "ro&immutable=1")) as database:
        _check_schema(path, database)
        if size <= QUICK_CHECK_BYTES:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise StoreCorrupt(path, f"is damaged ({found}); restore it from a backup, or move it away")
    return remains


def _check_log(path: Path, log: Path, durability: Durability) -> bool:
    """Raises StoreCorrupt if SQLite would drop what was acknowledged; True if it drops a transaction that is torn.

    Where commits are synced (Durability.POWER), a power cut can keep the end of the transaction under way and not its middle,
    so a single one passes. Where they are not, it may keep any part of the log, and what then lacks its middle is refused.
    """
    reading = read_log(log)
    if reading is None:
        damage = "is damaged in its header, and nothing of it would be read; nothing was changed."
        raise StoreCorrupt(log, f"{damage} {_advice(path, log)}")
    if reading.dropped > 1 if durability is Durability.POWER else reading.followed:
        raise StoreCorrupt(log, f"{_damage(reading)} {_advice(path, log)}; {_cut(reading, log)}")
    if reading.dropped:
        _log.warning("the last transaction in %s is torn and left out: it was under way, or is damaged", log)
    return reading.dropped > 0


def _damage(reading: LogReading) -> str:
    lost = "a transaction" if reading.dropped == 1 else f"{reading.dropped} transactions"
    return (
        f"is damaged at byte {reading.broken_at}, and {lost} from there on would be dropped; nothing was changed."
        " A power cut can do that as well, except with --durability power."
    )


def _advice(path: Path, log: Path) -> str:
    return (
        f"Put it and {path} aside and restore copies of both. To go on without, copy both and remove {log}:"
        " what was written since it was last folded into the database is then lost"
    )


def _cut(reading: LogReading, log: Path) -> str:
    return f"or cut it, and only what is behind the damage is lost: truncate -s {reading.kept_bytes} {shlex.quote(str(log))}"


def _check_length(path: Path, header: bytes, size: int) -> None:
    """A file shorter than its header says has been torn; with a log beside it, the log may hold the rest."""
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)
    if size < whole:
        raise StoreCorrupt(
            path, f"is torn: {size} of {whole} bytes are there; restore it from a backup, or move it away"
        )


def _check_schema(path: Path, database: sqlite3.Connection) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreForeign(path, "is a database of another program; name another file")
    if version > SCHEMA_VERSION:
        raise StoreTooNew(path, f"has format {version}, this service knows {SCHEMA_VERSION}; use a newer service")
    found = {sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    if version != SCHEMA_VERSION or found != set(SCHEMA):
        raise StoreForeign(path, f"has tables other than those of format {SCHEMA_VERSION}; name another file")
