"""The jobs in a directory: made, found, told apart by the requests that made them. Processes may share a directory.

A job may have an owner, whose name then stands before its id: DIR/acme~JOB_ID. Who asks for an owner's jobs meets no others.

DIR/.orders    lock held while a job is made or resumed, so that no request is taken twice
DIR/.slot      lock held by the job that runs, handed to it by whoever started it: one runs at a time
"""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

from emotional_ai_training.jobs.directory import OWNED, JobDirectory, Standing, id_in
from emotional_ai_training.jobs.errors import JobDamaged, JobsUnusable
from emotional_ai_training.jobs.locking import FileLock, take_lock
from emotional_ai_training.jobs.plan import Plan
from emotional_ai_training.jobs.record import JobRecord

_ID: Final = re.compile(r"job-\d{8}T\d{12}-[0-9a-f]{6}")
_OWNER: Final = re.compile(r"[a-z0-9_-]{1,64}")
_NAME: Final = re.compile(f"(?:{_OWNER.pattern}{OWNED})?{_ID.pattern}")
_LOCK_SECONDS: Final = 0.02
"""How long to wait before asking for a taken lock again."""

Stamp = tuple[int, int, int]


@final
class JobsDirectory:
    """Jobs under `path`, which is made with the first of them. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._records: dict[str, tuple[Stamp, JobRecord]] = {}

    def ids(self) -> list[str]:
        """Names of the directories of all jobs, newest first; of jobs without an owner these are their ids.

        Raises JobsUnusable.
        """
        try:
            names = [entry.name for entry in self.path.iterdir() if _NAME.fullmatch(entry.name)]
            return sorted(names, key=id_in, reverse=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JobsUnusable(self.path, error) from error

    def ids_of(self, owner: str) -> list[str]:
        """Ids of an owner's jobs, newest first; of those without one if `owner` is empty. Raises JobsUnusable."""
        prefix = _prefix(owner)
        return [name.removeprefix(prefix) for name in self.ids() if name == prefix + id_in(name)]

    def job(self, name: str) -> JobDirectory | None:
        """The job in the directory of that name; None if there is none."""
        path = self.path / name
        return JobDirectory(path) if _NAME.fullmatch(name) and path.is_dir() else None

    def job_of(self, owner: str, job_id: str) -> JobDirectory | None:
        """The owner's job of that id, of those without one if `owner` is empty; None if there is none."""
        return self.job(_prefix(owner) + job_id) if _ID.fullmatch(job_id) else None

    def of_request(self, request_id: str, owner: str = "") -> JobDirectory | None:
        """The owner's job that a request made or resumed; None if there is none, or the request has no id."""
        prefix = _prefix(owner)
        found = (
            job
            for job, record in self._all()
            if request_id in record.request_ids and job.path.name == prefix + job.job_id
        )
        return next(found, None) if request_id else None

    def queued(self) -> list[JobDirectory]:
        """Jobs waiting for their turn, the one whose turn is next first."""
        waiting = []
        for job, record in self._all():
            with suppress(JobDamaged):  # shown to whoever asks for it; here it only must not hold up the others
                if job.started() < record.attempt and job.standing().standing is Standing.QUEUED:
                    waiting.append((record.queued_us, job.job_id, job))
        return [job for *_, job in sorted(waiting, key=lambda entry: entry[:2])]

    @contextmanager
    def ordering(self) -> Iterator[None]:
        """Keeps others, in whatever process, from making or resuming jobs meanwhile. Raises JobsUnusable."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            while (lock := take_lock(self.path / ".orders")) is None:
                time.sleep(_LOCK_SECONDS)
        except OSError as error:
            raise JobsUnusable(self.path, error) from error
        with lock:
            yield

    def slot(self) -> FileLock | None:
        """The right to run a job, or None while another runs. Raises OSError."""
        return take_lock(self.path / ".slot")

    def make(
        self, now_us: int, token: str, request_id: str, plan: Callable[[Path], Plan], owner: str = ""
    ) -> JobDirectory:
        """A new job, queued. `plan` is told the job's directory; `token` are six hex digits that tell jobs of a moment apart.

        Raises JobsUnusable; then nothing was made.
        """
        moment = f"{datetime.fromtimestamp(now_us // 1_000_000, UTC):%Y%m%dT%H%M%S}{now_us % 1_000_000:06d}"
        path, staged = self.path / f"{_prefix(owner)}job-{moment}-{token}", self.path / f".making-{token}"
        record = JobRecord(
            job_id=id_in(path.name),
            created_us=now_us,
            queued_us=now_us,
            attempt=1,
            request_ids=(request_id,) if request_id else (),
            plan=plan(path),
        )
        try:
            staged.mkdir(parents=True)
            JobDirectory(staged).write_record(record)
            staged.rename(path)
        except OSError as error:
            shutil.rmtree(staged, ignore_errors=True)
            raise JobsUnusable(self.path, error) from error
        return JobDirectory(path)

    def resume(self, job: JobDirectory, now_us: int, request_id: str, max_cost_usd: float) -> None:
        """Puts an ended job back into the queue, to go on from its last state. Raises JobsUnusable, or JobDamaged."""
        record = job.record()
        again = replace(
            record,
            queued_us=now_us,
            attempt=record.attempt + 1,
            request_ids=(*record.request_ids, *((request_id,) if request_id else ())),
            plan=replace(record.plan, resume=True, max_cost_usd=max_cost_usd),
        )
        try:
            job.write_record(again)
        except OSError as error:
            raise JobsUnusable(self.path, error) from error

    def _all(self) -> list[tuple[JobDirectory, JobRecord]]:
        """Every job whose record can be read, newest first; read again only where the record changed."""
        with self._lock:
            found: dict[str, tuple[Stamp, JobRecord]] = {}
            for name in self.ids():
                with suppress(JobDamaged, FileNotFoundError):
                    found[name] = self._known(name)
            self._records = found
            return [(JobDirectory(self.path / name), record) for name, (_, record) in found.items()]

    def _known(self, name: str) -> tuple[Stamp, JobRecord]:
        path = self.path / name
        status = (path / "plan.json").stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._records.get(name)
        return known if known is not None and known[0] == stamp else (stamp, JobDirectory(path).record())


def _prefix(owner: str) -> str:
    """What the names of an owner's directories begin with. Raises ValueError for what cannot own jobs."""
    if owner and not _OWNER.fullmatch(owner):
        raise ValueError(f"an owner of jobs has 1 to 64 lower-case letters, digits, '-' or '_', got {owner!r}")
    return f"{owner}{OWNED}" if owner else ""
