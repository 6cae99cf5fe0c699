"""Contenders: programs to be measured, each in a process group of its own that is stopped while others have their turn."""

import ctypes
import json
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Final, Self, TypeVar

from apparatus.turns import Measured, Setting, Turn, written

_Number = TypeVar("_Number", int, float)
BENCHMARKS: Final = Path(__file__).parent.parent
PARENT_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
START_SECONDS: Final = 240.0
TURN_SECONDS: Final = 600.0
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TICKS: Final = os.sysconf("SC_CLK_TCK")
OTHERS: Final = "others"
"""What is added to every measurement: the share of all processors that went to neither the contender nor idleness."""


class ContenderFailed(Exception):
    """A contender ended, or said nothing for too long."""


class Contender:
    """What `command` starts, told its setting as the last argument; `ask` it for turns, `close` it at the end."""

    def __init__(self, command: Sequence[str], setting: Setting, log: Path) -> None:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(setting.threads),
            "TQDM_DISABLE": "1",
            "TRANSFORMERS_VERBOSITY": "error",
            "HF_HUB_OFFLINE": "1",
        }
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [*command, written(setting)],
                cwd=BENCHMARKS,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  # there is one thread
            )
        self._selector = selectors.DefaultSelector()
        assert self._process.stdout is not None
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        try:
            self._answer(START_SECONDS)
        except ContenderFailed:
            self.close()
            raise
        self._signal(signal.SIGSTOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def ask(self, turn: Turn) -> Measured:
        """What it measured, and OTHERS. Raises ContenderFailed."""
        taken, begun = _busy_seconds() - self._cpu_seconds(), perf_counter()
        self._signal(signal.SIGCONT)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(written(turn).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure("ended") from error
        measured = self._answer(TURN_SECONDS)
        self._signal(signal.SIGSTOP)
        elsewhere = _busy_seconds() - self._cpu_seconds() - taken
        share = elsewhere / ((perf_counter() - begun) * (os.cpu_count() or 1))
        return {**measured, OTHERS: round(max(share, 0.0), 3)}

    def resident_bytes(self) -> int:
        """Resident memory of all its processes."""
        return sum(self._of_each(lambda entry, _: int((entry / "statm").read_text().split()[1]) * PAGE))

    def _cpu_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return sum(self._of_each(lambda _, fields: (int(fields[11]) + int(fields[12])) / TICKS))

    def _of_each(self, value: Callable[[Path, Sequence[str]], _Number]) -> Iterator[_Number]:
        """A value of each process of its session, from its directory and the fields of `stat` behind the command's name."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == self._process.pid:
                    yield value(entry, fields)
            except OSError:  # it ended meanwhile
                continue

    def close(self) -> None:
        """Ends it and whatever it started."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._selector.close()

    def _answer(self, seconds: float) -> Measured:
        if not self._selector.select(seconds):
            raise self._failure(f"said nothing for {seconds:.0f} s")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure("ended")
        measured: Measured = json.loads(line)
        return measured

    def _failure(self, what: str) -> ContenderFailed:
        said = self._log.read_text(errors="replace").splitlines()
        return ContenderFailed("\n".join([f"{self._log.stem} {what}; the end of what it wrote:", *said[-12:]]))

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _die_with_parent() -> None:
    """For the child: a stopped contender would not notice that nobody asks it any more."""
    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _busy_seconds() -> float:
    """Time that all processors were not idle, or taken away by whoever runs this virtual machine."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS
