"""What a job's process does: `python -m emotional_ai_training.jobs DIR/JOB_ID`.

It runs the target, `function(plan, reporter) -> names of published adapters`, and says how that ended. SIGTERM and SIGINT ask
the target to stop; one that stops so without CancelJob leaves no outcome, which is an interruption, to be resumed.
"""

import argparse
import importlib
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from emotional_ai_training.jobs.directory import JobDirectory, Outcome, Standing
from emotional_ai_training.jobs.errors import INSTALL, JobCancelled
from emotional_ai_training.jobs.launching import DEFAULT_TARGET
from emotional_ai_training.jobs.locking import FileLock
from emotional_ai_training.jobs.plan import Plan
from emotional_ai_training.jobs.reporter import JobReporter, Reporter

Target = Callable[[Plan, Reporter], tuple[str, ...]]

INTERRUPTED: Final = 130
"""Exit status of an attempt that stopped at a signal."""
LONGEST_ERROR: Final = 500
"""Characters of an error's message that are kept."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job named on the command line; returns the exit status."""
    asked = _arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    job = JobDirectory(asked.job.resolve())
    for descriptor in asked.hold:
        os.set_inheritable(descriptor, False)  # what the training starts must not outlive it as the job
    lock = FileLock(asked.hold[0]) if asked.hold else job.begin()
    if lock is None:
        sys.stderr.write(f"{job.path} is running already, or has ended; resume it through the service\n")
        return 1
    os.nice(asked.niceness)
    lock.sign()
    try:
        return run(job, asked.target, _stop_on_signals(), wall_clock, os.environ.get("TINKER_API_KEY", ""))
    finally:
        # Python gives back what signals did as it ends: one that comes then would say that a job which has ended was killed.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def run(job: JobDirectory, target: str, stop: Callable[[], bool], clock: Callable[[], int], key: str = "") -> int:
    """Runs an attempt that has begun and writes how it ended; returns the exit status.

    `stop` tells whether a signal has come; `clock` gives wall microseconds. `key` is left out of what is written of an error:
    a server that refuses a request may repeat it. Raises OSError or JobDamaged where the directory cannot be used.
    """
    record = job.record()
    reporter = JobReporter(job, record.attempt, stop, clock)
    status, error, adapters = Standing.SUCCEEDED, "", ()  # type: tuple[Standing, str, tuple[str, ...]]
    try:
        adapters = _checked(_load(target)(record.plan, reporter))
    except JobCancelled:
        if not reporter.cancelled_by_request:
            logging.info("stopped at a signal; the job can be resumed")
            return INTERRUPTED
        status = Standing.CANCELLED
    except Exception as failure:
        sys.stderr.write(_without(key, traceback.format_exc()))
        status, error = Standing.FAILED, _message(failure, key)
    job.end(Outcome(attempt=record.attempt, status=status, ended_us=clock(), error=error, adapters=adapters))
    return 1 if status is Standing.FAILED else 0


def wall_clock() -> int:
    """Wall microseconds since the epoch."""
    return time.time_ns() // 1000


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emotional_ai_training.jobs", description="Runs one training job.")
    parser.add_argument("job", type=Path, help="directory of the job")
    parser.add_argument("--target", default=DEFAULT_TARGET, help="what runs the plan, as module:function")
    parser.add_argument("--niceness", type=int, default=0, help="how far to stand back for other processes")
    parser.add_argument("--hold", type=int, nargs="*", default=[], help=argparse.SUPPRESS)  # descriptors of held locks
    return parser.parse_args(arguments)


def _stop_on_signals() -> Callable[[], bool]:
    """Whether SIGTERM or SIGINT has come. A second Ctrl-C ends the process at once."""
    came: list[int] = []

    def heard(number: int, _: object) -> None:
        # An event has a lock, for which a handler that interrupts another one would wait for ever.
        signal.signal(number, signal.SIG_IGN if number == signal.SIGTERM else signal.default_int_handler)
        came.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, heard)
    return lambda: bool(came)


def _load(target: str) -> Target:
    module, _, function = target.partition(":")
    loaded: Target = getattr(importlib.import_module(module), function)
    return loaded


def _checked(adapters: object) -> tuple[str, ...]:
    if not isinstance(adapters, tuple) or not all(isinstance(name, str) for name in adapters):
        raise TypeError(f"a training returns the names of its adapters, this one returned {adapters!r}")
    return adapters


def _without(key: str, said: str) -> str:
    return said.replace(key, "<key>") if key else said


def _message(error: Exception, key: str) -> str:
    """An error on one line for whoever asked for the job; our own speak for themselves."""
    said = _without(key, " ".join(str(error).split()))
    if isinstance(error, ModuleNotFoundError):
        said = f"{said}; training needs what this installs: {INSTALL}; then the job can be resumed"
    ours = type(error).__module__.startswith("emotional_ai")
    return (said if ours and said else f"{type(error).__name__}: {said}".rstrip(": "))[:LONGEST_ERROR]
