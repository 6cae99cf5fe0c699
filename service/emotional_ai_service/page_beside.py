"""The page beside a conversation: a process of its own that ends with the conversation, and never stands in its way."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import IO, Final

from emotional_ai.cli.web import NEEDED, READY

PATIENCE_SECONDS: Final = 10.0
"""How long a conversation waits for the page to say where it is."""


class PageBeside:
    """A page that was started."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self._process = process
        self._errors = errors
        self._line: str | None = None
        """What the page said when it was ready; empty once it ended without."""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def told(self) -> str:
        """Where the page is, or why there is none, in words; waits for it a little."""
        self._reading.join(PATIENCE_SECONDS)
        if self._line is None:
            return "the page takes its time; `emotional-ai web` starts one that says where it is"
        if self._line:
            return f"the page: {self._line.removeprefix(READY).strip()}"
        self._process.wait()
        self._errors.seek(0)
        why = self._errors.read().strip().removeprefix("error: ").replace("--port", "--web-port")
        return f"no page: {why}; the conversation goes on without it"

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._line = next((line for line in self._process.stdout if line.startswith(READY)), "")


@contextmanager
def page_beside(target: str, session: str, port: int, environment: Mapping[str, str]) -> Iterator[PageBeside]:
    """Starts the page of the service at `target`, which need not answer yet; ends it with the context.

    `environment` is the page's, and tells it how to reach the service.
    """
    command = [sys.executable, "-m", "emotional_ai", "--target", target, "web", "--with-parent"]
    command += ["--session", session, "--port", str(port)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C belongs to the conversation
        ) as process,
    ):
        try:
            yield PageBeside(process, errors)
        finally:
            process.terminate()


def missing() -> str | None:
    """Why there can be no page here; None if there can."""
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if not lacking:
        return None
    return (
        f"no page: it needs {', '.join(lacking)}, which are not installed; install them with: "
        "pip install 'emotional-ai[web]', or leave the page out with --no-web"
    )
