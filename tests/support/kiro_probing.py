"""Entries that start a server with a fault, and what became of its processes."""

import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path

from loopback import PATIENCE

from emotional_ai.kiro import Entry, Patience, Report, Verdict, probe

SERVER = Path(__file__).parent / "misbehaving_server.py"
PATIENT = Patience(answers=PATIENCE, end=PATIENCE)
"""For servers that answer and end."""


def faulty(fault: str, file: Path | None = None) -> Entry:
    """An entry that starts a server with a fault, which writes the ids of its processes to `file`."""
    return Entry(sys.executable, ("-S", str(SERVER), fault, *([] if file is None else [str(file)])))


def probed(entry: Entry, patience: Patience = PATIENT) -> Report:
    return probe(entry, "/", patience, time.monotonic)


def failed(report: Report) -> dict[str, str]:
    """What failed: details by step."""
    return {step.name: step.detail for step in report.steps if step.verdict is Verdict.FAIL}


def detail(report: Report, name: str) -> str:
    """What the one step of a name says."""
    (step,) = [step for step in report.steps if step.name == name]
    return step.detail


def gone(process: int) -> bool:
    """Whether a process has ended, or ends within a bounded time."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(process)
        try:
            return bool(select.select([handle], [], [], PATIENCE)[0])
        finally:
            os.close(handle)
    return True
