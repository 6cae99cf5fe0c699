"""The web page in a process of its own, as `emotional-ai web` starts it, in front of a service that is there or not."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loopback import PATIENCE

from emotional_ai.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Web:
    """A page that is served."""

    url: str
    """Where, without a slash at its end."""
    process: "subprocess.Popen[str]"
    log: Path
    """What it writes to standard error."""

    def session(self, session_id: str) -> str:
        """Address of the page of a session."""
        return f"{self.url}/s/{session_id}"

    def complaints(self) -> str:
        """What it has written to standard error so far."""
        return self.log.read_text()


def command(target: str, *flags: str, port: int = 0) -> tuple[str, ...]:
    """The page as a user starts it."""
    return (sys.executable, "-P", "-m", "emotional_ai", "--target", target, "web", "--port", str(port), *flags)


@contextmanager
def web_process(target: str, log: Path, *flags: str, port: int = 0, told: Credentials | None = None) -> Iterator[Web]:
    """Serves the page; what it complains of goes to `log`. Killed at the end if it still runs.

    `told` is what its environment says of the way to the service.
    """
    with log.open("w") as complaints:
        process = subprocess.Popen(
            command(target, *flags, port=port),
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,
            # NiceGUI looks whether it runs inside a test, and serves otherwise there.
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
                **(told or Credentials()).environment(),
            },
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("ready "):
            process.wait(PATIENCE)
            raise RuntimeError(f"the page did not start: {log.read_text()}")
        yield Web(line.removeprefix("ready ").strip().rstrip("/"), process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
