"""The files of one job, and where it stands by them. Nothing is remembered: whoever reads them comes to the same answer."""

import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, final

from emotional_ai_training.jobs.errors import JobDamaged
from emotional_ai_training.jobs.fields import text, whole
from emotional_ai_training.jobs.locking import FileLock, held, holder, take_lock
from emotional_ai_training.jobs.progress import ProgressReport, latest_report
from emotional_ai_training.jobs.record import JobRecord, read_object, read_record, write_record
from emotional_ai_training.whole_files import write_whole


class Standing(Enum):
    """Where a job stands."""

    QUEUED = "queued"
    """Waiting for its turn."""
    RUNNING = "running"
    """Its process lives."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its process died without saying how it ended."""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes unless it is resumed."""
        return self not in (Standing.QUEUED, Standing.RUNNING)


OWNED: Final = "~"
"""Between an owner and the id of a job, in the name of its directory."""
LONGEST_NUMBER: Final = 10
"""Digits of the number of an attempt."""
OUTCOMES: Final = (Standing.SUCCEEDED, Standing.FAILED, Standing.CANCELLED)
"""Ways a job can say it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended."""

    attempt: int
    status: Standing
    """One of OUTCOMES."""
    ended_us: int
    """When, wall microseconds since the epoch."""
    error: str = ""
    """Why it failed, on one line; empty otherwise."""
    adapters: tuple[str, ...] = ()
    """Adapters it published, by name."""


@dataclass(frozen=True, slots=True)
class JobStanding:
    """A job at one moment."""

    record: JobRecord
    standing: Standing
    outcome: Outcome | None
    """How the current attempt ended; None while it has not, or if its process died."""
    progress: ProgressReport | None
    """The latest report, of this attempt or an earlier one."""


@final
class JobDirectory:
    """A job's directory, whose name ends with the job's id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job_id = id_in(path.name)
        self.progress_path = path / "progress.jsonl"
        self.log_path = path / "log.txt"
        self.lock_path = path / "lock"
        self._record, self._started = path / "plan.json", path / "started"
        self._outcome, self._cancel = path / "outcome.json", path / "cancel"

    def record(self) -> JobRecord:
        """What was asked for. Raises JobDamaged."""
        try:
            return read_record(self._record)
        except FileNotFoundError as error:
            raise JobDamaged(self._record, "is missing") from error

    def write_record(self, record: JobRecord) -> None:
        """Replaces what was asked for; a greater attempt puts the job back into the queue. Raises OSError."""
        write_record(self._record, record)

    def standing(self) -> JobStanding:
        """Where the job stands now. Raises JobDamaged."""
        while True:
            # The order matters: the lock is taken before `started` is written, the outcome written before the lock is let go.
            record, started, running, outcome = self.record(), self.started(), held(self.lock_path), self.outcome()
            newest = max(started, outcome.attempt if outcome else 0)
            if newest <= record.attempt:
                break  # otherwise it was resumed while we read
        if outcome is not None and outcome.attempt == record.attempt:
            standing = outcome.status
        elif running:
            outcome, standing = None, Standing.RUNNING
        else:
            outcome, standing = None, Standing.INTERRUPTED if started == record.attempt else Standing.QUEUED
        return JobStanding(record, standing, outcome, latest_report(self.progress_path))

    def started(self) -> int:
        """Number of the attempt that began last, 0 if none did."""
        return _number(self._started)

    def outcome(self) -> Outcome | None:
        """How the last attempt that ended did so. Raises JobDamaged."""
        try:
            entry = read_object(self._outcome)
        except FileNotFoundError:
            return None
        try:
            return _outcome(**entry)
        except (ValueError, TypeError) as error:
            raise JobDamaged(self._outcome, f"does not say how the job ended: {error}") from error

    def begin(self) -> FileLock | None:
        """Begins the attempt that is queued: the lock to hold while it lives, or None if it is not to be begun.

        Raises OSError, or JobDamaged; then it was not begun.
        """
        lock = take_lock(self.lock_path)
        if lock is None:
            return None
        try:
            attempt, outcome = self.record().attempt, self.outcome()
            if self.started() == attempt or (outcome is not None and outcome.attempt == attempt):
                lock.release()
                return None
            write_whole(self._started, f"{attempt}\n".encode())
        except BaseException:
            lock.release()
            raise
        return lock

    def end(self, outcome: Outcome) -> None:
        """Says how an attempt ended; only whoever holds the lock may. Raises OSError."""
        entry = {
            "attempt": outcome.attempt,
            "status": outcome.status.value,
            "ended_us": outcome.ended_us,
            "error": outcome.error,
            "adapters": list(outcome.adapters),
        }
        write_whole(self._outcome, (json.dumps(entry, indent=2) + "\n").encode())

    def withdraw(self, ended_us: int) -> bool:
        """Cancels the attempt if it is queued; False if it is not. Raises OSError, or JobDamaged."""
        lock = self.begin()
        if lock is None:
            return False
        with lock:
            self.end(Outcome(attempt=self.record().attempt, status=Standing.CANCELLED, ended_us=ended_us))
        return True

    def ask_to_stop(self) -> None:
        """Has a running attempt stop at its next step. Raises OSError, or JobDamaged."""
        write_whole(self._cancel, f"{self.record().attempt}\n".encode())
        process = holder(self.lock_path)
        if process is not None:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    def asked_to_stop(self) -> int:
        """Number of the attempt that was last asked to stop, 0 if none was."""
        return _number(self._cancel)


def id_in(name: str) -> str:
    """The id of the job whose directory has that name: what stands behind the name of its owner, if it has one."""
    return name.rpartition(OWNED)[2]


def _outcome(*, attempt: object, status: object, ended_us: object, error: object, adapters: object) -> Outcome:
    """An outcome of what a file holds. Raises TypeError or ValueError."""
    standing = Standing(status)
    if standing not in OUTCOMES or not isinstance(adapters, list):
        raise ValueError("status or adapters are none of an end")
    return Outcome(
        attempt=whole(attempt, "attempt"),
        status=standing,
        ended_us=whole(ended_us, "ended_us"),
        error=text(error, "error"),
        adapters=tuple(text(name, "adapters") for name in adapters),
    )


def _number(path: Path) -> int:
    try:
        held = path.read_bytes().strip()
    except FileNotFoundError:
        return 0
    if not held.isdigit() or len(held) > LONGEST_NUMBER:
        raise JobDamaged(path, "does not hold the number of an attempt")
    return int(held)
