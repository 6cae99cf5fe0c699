"""A server of our own as a child process: started with a key of its own on a free port, and gone when we are."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from emotional_ai_training.tinker_server.errors import ServerStartFailed
from emotional_ai_training.tinker_server.settings import READY, Dtype, new_key

START_SECONDS: Final = 300.0
STOP_SECONDS: Final = 15.0
LOG_NAME: Final = "server.log"


class LocalServer:
    """`python -m emotional_ai_training.tinker_server` between `start` and `stop`, or while it is entered.

    The child ends when its standard input does, so it never outlives us; its log is `<state>/server.log`.
    """

    def __init__(self, model: Path, state: Path, *, threads: int | None = None, dtype: Dtype = Dtype.AUTO) -> None:
        """Serves the checkpoint directory `model`, keeping its state in `state`; `threads` None takes every processor.

        `dtype` is that of the frozen weights.
        """
        self._model, self._state, self._threads, self._dtype = model, state, threads, dtype
        self._process: subprocess.Popen[bytes] | None = None
        self._base_url = ""
        self.api_key = new_key()

    @property
    def base_url(self) -> str:
        """Where it listens; meaningful once it is started."""
        return self._base_url

    @property
    def log_path(self) -> Path:
        """What the child had to say."""
        return self._state / LOG_NAME

    def start(self, deadline: float = START_SECONDS) -> None:
        """Returns once the child takes requests; ServerStartFailed, with the end of its log, if it does not in time."""
        self._state.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "emotional_ai_training.tinker_server", "--with-parent"]
        command += ["--model", str(self._model), "--state", str(self._state), "--threads", str(self._threads or 0)]
        command += ["--dtype", self._dtype.value]
        environment = {**os.environ, "TINKER_API_KEY": self.api_key}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = _line(self._process.stdout, time.monotonic() + deadline)
        if not line.startswith(READY):
            self.stop()
            raise ServerStartFailed(f"the Tinker server did not start; its log, {self.log_path}, ends:\n{self._tail()}")
        self._base_url = line.removeprefix(READY).strip()

    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the child and returns once it is gone; stopping twice is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def kill(self) -> None:
        """kill -9, as a test or a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _tail(self) -> str:
        return "\n".join(self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def _line(stream: IO[bytes], deadline: float) -> str:
    """The next line of a pipe; what there is of it at the deadline, by the monotonic clock, or at its end."""
    found = b""
    while not found.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        if select.select([stream], [], [], left)[0]:
            chunk = os.read(stream.fileno(), 1)
            if not chunk:
                break
            found += chunk
    return found.decode(errors="replace")
