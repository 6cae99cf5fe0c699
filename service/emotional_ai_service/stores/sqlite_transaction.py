"""Groups of operations, each group one transaction of SQLite.

Whether a session is at the version an append expects is decided before any SQL, from heads kept in memory: a refused append
leaves nothing to undo and does not disturb the others.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from emotional_ai_service.stores.base import LASTING, MARKS_KEPT, AlreadyExists, NotFound, Record, VersionConflict

HEADS_KEPT = 65_536
"""Sessions whose head the writer remembers, so that it need not look them up."""

_HEAD = "SELECT key, session_id, created_us, updated_us, version FROM sessions WHERE session_id = ?"
_PUT_HEAD = (
    "INSERT INTO sessions (key, session_id, created_us, updated_us, version) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET updated_us = excluded.updated_us, version = excluded.version"
)
_ADD_RECORD = "INSERT INTO records (key, sequence, time_us, payload, request_id) VALUES (?, ?, ?, ?, ?)"
_REPLACE_RECORD = "UPDATE records SET time_us = ?, payload = ? WHERE key = ? AND sequence = ?"
_PUT_MARK = "INSERT OR REPLACE INTO marks (key, name, value, version) VALUES (?, ?, ?, ?)"
_PUT_SNAPSHOT = (
    "INSERT INTO snapshots (key, version, payload) VALUES (?, ?, ?) ON CONFLICT (key)"
    " DO UPDATE SET version = excluded.version, payload = excluded.payload WHERE excluded.version > snapshots.version"
)
_PRUNE_MARKS = (
    f"DELETE FROM marks WHERE key = ?1 AND name NOT GLOB '{LASTING}*' AND version <"
    f" (SELECT version FROM marks WHERE key = ?1 AND name NOT GLOB '{LASTING}*'"
    f" ORDER BY version DESC LIMIT 1 OFFSET {MARKS_KEPT - 1})"
)


@dataclass(frozen=True, slots=True)
class Append:
    """Records to add to a session at `expected_version`."""

    session_id: str
    expected_version: int
    records: Sequence[Record]
    request_id: str
    marks: Mapping[str, int]
    created_us: int | None


@dataclass(frozen=True, slots=True)
class PutSnapshot:
    """A snapshot to keep."""

    session_id: str
    version: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """A session to remove."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Note:
    """Marks to set without a record."""

    session_id: str
    marks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Trim:
    """A record to put in the place of all up to it."""

    session_id: str
    record: Record


Operation = Append | PutSnapshot | Delete | Note | Trim


@dataclass(slots=True)
class _Head:
    """A session's row; `version` runs ahead of the database within a transaction."""

    key: int
    session_id: str
    created_us: int
    updated_us: int
    version: int


@final
class GroupCommit:
    """Writes groups of operations through a connection that nobody else uses."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._heads: dict[str, _Head] = {}
        self._touched: dict[int, _Head] = {}
        self._records: list[tuple[int, int, int, bytes, str | None]] = []
        self._marks: list[tuple[int, str, int, int]] = []
        self._grown: list[tuple[int]] = []
        self._last_key: int | None = None

    def run(self, group: Sequence[Operation]) -> list[Exception | None]:
        """One transaction. Returns refusals by operation; raises what made the whole of it fail."""
        if self._database.in_transaction:
            # The rollback after a failure may have failed for the same reason.
            self._database.execute("ROLLBACK")
        try:
            self._database.execute("BEGIN IMMEDIATE")
            refusals = [self._stage(operation) for operation in group]
            self._flush()
            self._database.execute("COMMIT")
        except BaseException:
            self._forget()
            with suppress(sqlite3.Error):
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
            raise
        return refusals

    def _stage(self, operation: Operation) -> Exception | None:
        try:
            match operation:
                case Append():
                    self._append(operation)
                case PutSnapshot():
                    self._put_snapshot(operation)
                case Delete():
                    self._delete(operation)
                case Note():
                    self._note(operation)
                case Trim():
                    self._trim(operation)
        except (NotFound, AlreadyExists, VersionConflict) as refusal:
            return refusal
        return None

    def _append(self, operation: Append) -> None:
        head = self._head(operation.session_id)
        expected, records = operation.expected_version, operation.records
        if head is None:
            if expected != 0:
                raise NotFound(operation.session_id)
            head = self._begin(operation.session_id, records[0].time_us)
        elif expected and operation.created_us not in (None, head.created_us):
            raise NotFound(operation.session_id)
        elif head.version != expected:
            if expected == 0:
                raise AlreadyExists(operation.session_id)
            raise VersionConflict(operation.session_id, expected, head.version)
        key, last = head.key, records[-1]
        for record in records[:-1]:
            self._records.append((key, record.sequence, record.time_us, record.payload, None))
        self._records.append((key, last.sequence, last.time_us, last.payload, operation.request_id or None))
        for name, value in operation.marks.items():
            self._marks.append((key, name, value, last.sequence))
        if expected // MARKS_KEPT != last.sequence // MARKS_KEPT:
            self._grown.append((key,))
        head.version, head.updated_us = last.sequence, last.time_us
        self._touched[key] = head

    def _put_snapshot(self, operation: PutSnapshot) -> None:
        head = self._existing(operation.session_id)
        if operation.version > head.version:
            raise VersionConflict(operation.session_id, operation.version, head.version)
        self._database.execute(_PUT_SNAPSHOT, (head.key, operation.version, operation.payload))

    def _note(self, operation: Note) -> None:
        head = self._existing(operation.session_id)
        self._marks += [(head.key, name, value, head.version) for name, value in operation.marks.items()]

    def _trim(self, operation: Trim) -> None:
        head, record = self._existing(operation.session_id), operation.record
        if record.sequence > head.version:
            raise VersionConflict(operation.session_id, record.sequence, head.version)
        self._flush()
        replaced = (record.time_us, record.payload, head.key, record.sequence)
        if self._database.execute(_REPLACE_RECORD, replaced).rowcount == 0:
            return  # The log begins later already.
        if record.sequence == head.version:
            head.updated_us = record.time_us
            self._touched[head.key] = head
        for table, number in (("records", "sequence"), ("snapshots", "version")):
            statement = f"DELETE FROM {table} WHERE key = ? AND {number} < ?"
            self._database.execute(statement, (head.key, record.sequence))

    def _delete(self, operation: Delete) -> None:
        head = self._existing(operation.session_id)
        self._flush()
        del self._heads[head.session_id]
        for table in ("snapshots", "marks", "records", "sessions"):
            self._database.execute(f"DELETE FROM {table} WHERE key = ?", (head.key,))

    def _flush(self) -> None:
        """Writes the rows gathered so far."""
        self._database.executemany(_ADD_RECORD, self._records)
        self._database.executemany(
            _PUT_HEAD, [(h.key, h.session_id, h.created_us, h.updated_us, h.version) for h in self._touched.values()]
        )
        self._database.executemany(_PUT_MARK, self._marks)
        self._database.executemany(_PRUNE_MARKS, self._grown)
        self._drop_rows()

    def _existing(self, session_id: str) -> _Head:
        head = self._head(session_id)
        if head is None:
            raise NotFound(session_id)
        return head

    def _head(self, session_id: str) -> _Head | None:
        head = self._heads.get(session_id)
        if head is None:
            row = self._database.execute(_HEAD, (session_id,)).fetchone()
            if row is not None:
                head = self._remember(_Head(*row))
        return head

    def _begin(self, session_id: str, created_us: int) -> _Head:
        if self._last_key is None:
            (self._last_key,) = self._database.execute("SELECT coalesce(max(key), 0) FROM sessions").fetchone()
        self._last_key += 1
        return self._remember(_Head(self._last_key, session_id, created_us, created_us, 0))

    def _remember(self, head: _Head) -> _Head:
        if len(self._heads) >= HEADS_KEPT:
            self._flush()
            self._heads.clear()
        self._heads[head.session_id] = head
        return head

    def _forget(self) -> None:
        """After a failure: heads ran ahead of what is stored."""
        self._heads.clear()
        self._drop_rows()

    def _drop_rows(self) -> None:
        self._records.clear()
        self._touched.clear()
        self._marks.clear()
        self._grown.clear()
