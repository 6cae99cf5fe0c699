"""Contenders: programs to be measured, each in a process group of its own that is stopped while others have their turn."""

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from apparatus.turns import Measured, Setting, Turn, written

BENCHMARKS: Final = Path(__file__).parent.parent
START_SECONDS: Final = 240.0
TURN_SECONDS: Final = 300.0
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


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
        """What it measured. Raises ContenderFailed."""
        self._signal(signal.SIGCONT)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(written(turn).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure("ended") from error
        measured = self._answer(TURN_SECONDS)
        self._signal(signal.SIGSTOP)
        return measured

    def resident_bytes(self) -> int:
        """Resident memory of all its processes."""
        total = 0
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == self._process.pid:  # the session it leads
                    total += int((entry / "statm").read_text().split()[1]) * PAGE
            except OSError:  # it ended meanwhile
                continue
        return total

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
