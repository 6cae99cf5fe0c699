"""Starts a service where none answers: on the loopback interface, one at a time, and not bound to the bridge's life.

Its sessions outlive the client that wanted it, so it goes on until it is stopped: `kill PID`, which is told at the start.
"""

import asyncio
import importlib.util
import ipaddress
import subprocess
import sys
from pathlib import Path
from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import EmotionalAIError, Unavailable
from emotional_ai.mcp_bridge.refusals import Code, Refused

PATIENCE: Final = 40.0
"""Seconds a call waits for the service to come up; clients give up on a call near 60."""
PAUSE: Final = 0.2
"""Seconds between looks at whether it answers."""
LOOK: Final = 2.0
"""Seconds a look takes at most."""


class Starter:
    """Starts the service at `target`, at most one at a time; it writes to `log`. Raises ValueError as `serve_command` does."""

    def __init__(self, target: str, log: Path) -> None:
        self._target = target
        self._command = serve_command(target)
        self._log = log
        self._lock = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Returns once a service answers. Raises Refused if it does not in time, or ends."""
        async with self._lock:
            if await answers(self._target):
                return
            if self._process is None or self._process.poll() is not None:
                self._process = self._launched()
            await self._up(self._process)

    async def _up(self, process: "subprocess.Popen[bytes]") -> None:
        """Waits until it answers. One that ends because another holds the address is no failure if that one answers."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while not await answers(self._target):
            if process.poll() is not None and not await answers(self._target):
                raise Refused(
                    Code.UNAVAILABLE,
                    f"the emotion engine was started and ended at once (status {process.returncode}); "
                    f"{self._log} says why",
                )
            if loop.time() > end:
                raise Refused(
                    Code.UNAVAILABLE,
                    f"the emotion engine was started (process {process.pid}) and does not answer yet; call again in a "
                    f"moment; {self._log} says how far it is",
                )
            await asyncio.sleep(PAUSE)

    def _launched(self) -> "subprocess.Popen[bytes]":
        if importlib.util.find_spec("grpc_health") is None:
            raise Refused(
                Code.UNAVAILABLE,
                f"no emotion engine answers, and {sys.executable} cannot start one: its environment lacks the service; "
                "install it there with: pip install 'emotional-ai[local]'",
            )
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._log.parent,
                start_new_session=True,
            )


async def answers(target: str) -> bool:
    """Whether a service is there, be it one that is only starting."""
    async with AsyncClient(target) as client:
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
    if not port.isdecimal() or not _loopback(host):
        raise ValueError(
            f"--autostart starts a service on this machine only: --target must be 127.0.0.1:PORT, got {target!r}"
        )
    return (sys.executable, "-m", "emotional_ai", "serve", "--host", host, "--port", port)


def log_file(home: Path) -> Path:
    """Where a service that was started so writes."""
    return home / ".local" / "state" / "emotional-ai" / "engine.log"


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
