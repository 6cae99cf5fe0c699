"""Starts a service where none answers: on the loopback interface, one at a time, and not bound to the bridge's life.

Its sessions outlive the client that wanted it, so it goes on until it is stopped: `kill PID`, which is told at the start.
"""

import asyncio
import importlib.util
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.connection import is_loopback, start_command
from emotional_ai.credentials import NONE, Credentials
from emotional_ai.errors import EmotionalAIError, Unavailable
from emotional_ai.mcp_bridge.refusals import Code, Refused

logger = logging.getLogger(__name__)

PATIENCE: Final = 40.0
"""Seconds a call waits for the service to come up; clients give up on a call near 60."""
PAUSE: Final = 0.2
"""Seconds between looks at whether it answers."""
LOOK: Final = 2.0
"""Seconds a look takes at most."""
ADAPTERS: Final = "loras"
"""Where a service looks for adapters, from where it is started."""
TAIL: Final = 4096
"""Bytes of the log's end that are looked at for its last line."""
LONGEST_SHOWN: Final = 300
"""Characters of the log's last line that are told."""


class Starter:
    """Starts the service at `target`, at most one at a time; it writes to `log`.

    `command` makes what is run from the target. Raises ValueError as `serve_command` does, and for credentials that ask for
    encryption, which a service that is started so does not have.
    """

    def __init__(
        self,
        target: str,
        log: Path,
        command: "Callable[[str], Sequence[str]] | None" = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._target = target
        credentials = credentials or Credentials()
        self._token = credentials.token
        if credentials.ca not in (None, NONE):
            raise ValueError("--autostart starts a service without encryption: leave out --ca, or start one by hand")
        self._command = (command or serve_command)(target)
        self._log = log
        self._lock = asyncio.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        """The service it started last; it is not stopped with the bridge."""

    async def start(self) -> None:
        """Returns once a service answers. Raises Refused if it does not in time, or ends."""
        # The service itself is in every installation; what it needs beyond the SDK is not.
        if importlib.util.find_spec("grpc_health") is None:
            raise Refused(
                Code.UNAVAILABLE,
                f"no emotion engine answers, and {sys.executable} cannot start one: its environment lacks the service; "
                "install it there with: pip install 'emotional-ai[local]'",
            )
        end = asyncio.get_running_loop().time() + PATIENCE
        try:
            async with self._lock, self._alone(end):
                if await answers(self._target, self._token):
                    return
                if self.process is None or self.process.poll() is not None:
                    self.process = self._launched()
                await self._up(self.process, end)
        except OSError as error:
            raise Refused(
                Code.UNAVAILABLE,
                f"no emotion engine answers, and none can be started from here: {error}; start one with "
                f"`{start_command(self._target)}` and call again",
            ) from error

    @asynccontextmanager
    async def _alone(self, end: float) -> AsyncIterator[None]:
        """Keeps other bridges of this user from starting one meanwhile, which would end for want of the address or the file."""
        from filelock import FileLock, Timeout  # comes with the service

        self._log.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._log.with_suffix(".lock"))
        while True:
            try:
                lock.acquire(blocking=False)
                break
            except Timeout as error:
                if asyncio.get_running_loop().time() > end:
                    raise Refused(
                        Code.UNAVAILABLE, f"another bridge is starting the emotion engine still; {self._see()}"
                    ) from error
            await asyncio.sleep(PAUSE)
        try:
            yield
        finally:
            lock.release()

    async def _up(self, process: "subprocess.Popen[bytes]", end: float) -> None:
        """Waits until it answers. One that ends because another holds the address is no failure if that one answers."""
        while True:
            ended = process.poll() is not None
            if await answers(self._target, self._token):
                return
            if ended:
                raise Refused(
                    Code.UNAVAILABLE,
                    f"the emotion engine was started and ended (status {process.returncode}); {self._see()}",
                )
            if asyncio.get_running_loop().time() > end:
                raise Refused(
                    Code.UNAVAILABLE,
                    f"the emotion engine was started (process {process.pid}) and does not answer yet; call again in a "
                    f"moment; {self._see()}",
                )
            await asyncio.sleep(PAUSE)

    def _see(self) -> str:
        """Where more is said, and the last of it."""
        with self._log.open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - TAIL, 0))
            lines = log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing yet")
        return f"{self._log} says: {last[:LONGEST_SHOWN]}"

    def _home(self) -> Path:
        """Where the service is at home: here, where adapters lie, as `emotional-ai serve` would be; else beside its log."""
        here = Path.cwd()
        return here if (here / ADAPTERS).is_dir() else self._log.parent

    def _launched(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            log.write(f"{shlex.join(self._command)}\n".encode())
            log.flush()
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home(),
                start_new_session=True,
            )
        logger.warning(
            "started an emotion engine at %s, process %d; it runs on until it is stopped: kill %d; its log is %s",
            self._target,
            process.pid,
            process.pid,
            self._log,
        )
        return process


async def answers(target: str, token: str | None = None) -> bool:
    """Whether a service is there, be it one that is only starting."""
    async with AsyncClient(target, token=token) as client:
        try:
            await client.get_model(timeout=LOOK)
        except Unavailable as error:
            return bool(error.reason)
        except EmotionalAIError:
            return True
        return True


def serve_command(target: str) -> tuple[str, ...]:
    """What starts a service at `target`. Raises ValueError unless it is host:port on the loopback interface."""
    host, _, port = target.rpartition(":")
    if not port.isdecimal() or not is_loopback(host):
        raise ValueError(
            f"--autostart starts a service on this machine only: --target must be 127.0.0.1:PORT, got {target!r}"
        )
    return (sys.executable, "-P", "-m", "emotional_ai", "serve", "--host", host, "--port", port)


def log_file(home: Path) -> Path:
    """Where a service that was started so writes."""
    return home / ".local" / "state" / "emotional-ai" / "engine.log"
