"""A service of the evaluation's own, in a process beside it, that is ended with it."""

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from emotional_ai_training.steering.errors import ServiceUnsuitable

START_SECONDS: Final = 120.0
"""The service has so long to say that it serves; its model may load longer."""
PARTING_SECONDS: Final = 10.0
"""It has so long to end when it is told to."""


@contextmanager
def serving(loras: Path, model: Path | None, log: Path) -> Iterator[str]:
    """Serves on a free port of the loopback interface, from memory; yields host:port. What it says goes to `log`.

    Raises ServiceUnsuitable if it does not come up.
    """
    command = [sys.executable, "-m", "emotional_ai", "serve", "--port", "0", "--store", "memory", "--loras", str(loras)]
    command += ["--safeguard", "off"]  # the model is measured, not the guard over it
    if model is not None:
        command += ["--model", str(model)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            there, _, _ = select.select([process.stdout], [], [], START_SECONDS)
            line = process.stdout.readline() if there else ""
            if not line.startswith("ready "):
                raise ServiceUnsuitable(f"the service to evaluate did not start; {log} says why")
            yield line.removeprefix("ready ").strip()
        finally:
            process.terminate()
            try:
                process.wait(PARTING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
