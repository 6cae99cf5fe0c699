"""A service whose training jobs do what scripts say (see training_targets), in this process or in one of its own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from loopback import IN_MEMORY, Served, hosted, service_process
from tiny_jobs import SUPPORT, TARGET, until

from emotional_ai_service.settings import JobSettings, Settings
from emotional_ai_training.jobs import JobDirectory, JobsDirectory
from emotional_ai_training.jobs.locking import held, holder


@dataclass(frozen=True, slots=True)
class Workshop:
    """Directories of jobs and adapters, and services over them."""

    root: Path

    @property
    def jobs(self) -> JobsDirectory:
        """The jobs, read beside the service."""
        return JobsDirectory(self.root / "jobs")

    @property
    def loras(self) -> Path:
        """Where adapters are published."""
        return self.root / "loras"

    @property
    def settings(self) -> Settings:
        """A service in memory over these directories."""
        jobs = JobSettings(self.root / "jobs", self.loras, target=TARGET)
        return Settings(host=IN_MEMORY.host, port=0, store=IN_MEMORY.store, jobs=jobs)

    @contextmanager
    def service(self) -> Iterator[str]:
        """In a thread of this process; yields its address."""
        with hosted(self.settings) as running:
            yield running.address

    @contextmanager
    def process(self, port: int = 0) -> Iterator[Served]:
        """In a process of its own."""
        flags = ["--engine-only", "--jobs", str(self.root / "jobs"), "--loras", str(self.loras), "--job-target", TARGET]
        with service_process(*flags, port=port) as served:
            yield served

    def job(self, job_id: str) -> JobDirectory:
        """A job's directory."""
        job = self.jobs.job(job_id)
        assert job is not None
        return job

    def kill_jobs(self) -> None:
        """kill -9 of every job that runs; returns once none does."""
        for job in map(self.job, self.jobs.ids()):
            process = holder(job.lock_path)
            if process is not None:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            until(lambda lock=job.lock_path: not held(lock))


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """A workshop whose jobs find the scripted training; nothing of it runs on in the end."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    workshop = Workshop(tmp_path)
    yield workshop
    workshop.kill_jobs()
