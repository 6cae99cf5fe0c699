"""A server in a process of its own, spoken to over pipes in lines of JSON-RPC, and ended whatever happens."""

import json
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import IO, Final

from emotional_ai.kiro.settings import Entry

FOLDER: Final = "/"
PATH: Final = "/usr/bin:/bin"
"""Where Kiro may find itself, and what it may find, when it was not started from a shell."""
LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes of a line; what is longer is no message."""
KEPT: Final = 10
"""Lines of standard error and stray lines that are kept: of the first the last, of the others the first."""

ENDED: Final = "ended with its input"
"""How a server ends that behaves."""

Message = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds."""

    answers: float = 60.0
    """For all its answers together: Kiro's limit for a connection."""
    end: float = 5.0
    """For it to end, when its input is closed and once more when it is told to."""


class Unanswered(Exception):
    """A request has no usable answer; `what` says why."""

    def __init__(self, method: str, what: str) -> None:
        self.method = method
        self.what = what
        super().__init__(f"{method}: {what}")


class Server:
    """A running server. Raises OSError, or ValueError, if it cannot be started. To be ended by `end`.

    `home` is the one variable it gets besides a short PATH and the entry's own. `clock` gives seconds.
    """

    def __init__(self, entry: Entry, home: str, patience: Patience, clock: Callable[[], float]) -> None:
        self.stray: list[str] = []
        """Lines of standard output that are no messages, at most the first few."""
        self.strays = 0
        """How many there were."""
        self.complaints: deque[str] = deque(maxlen=KEPT)
        """The last lines of standard error."""
        self._clock = clock
        self._patience = patience
        self._begun = clock()
        self._arrived: SimpleQueue[Message | None] = SimpleQueue()
        self._asked = 0
        self._process = subprocess.Popen(
            [entry.command, *entry.args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=FOLDER,
            env={"PATH": PATH, "HOME": home, **entry.env},
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=reader, args=(stream,), daemon=True)
            for reader, stream in ((self._hear, self._process.stdout), (self._overhear, self._process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return self._clock() - self._begun

    def ask(self, method: str, params: Message) -> Message:
        """The result of a request. Raises Unanswered, also if the patience with all requests together ends."""
        self._asked += 1
        try:
            self._send({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
            while "method" in (answer := self._next()) or answer.get("id") != self._asked:
                pass  # what the server asks or tells on its own, numbered by itself
        except Empty as error:
            raise Unanswered(method, f"no answer within {self._patience.answers:g} s") from error
        except (OSError, EOFError) as error:
            raise Unanswered(method, f"the server {self._gone()}") from error
        return _result(method, answer)

    def tell(self, method: str) -> None:
        """Sends a notification; a server that is gone is found out by the next request."""
        with suppress(OSError):
            self._send({"jsonrpc": "2.0", "method": method})

    def end(self) -> str:
        """Ends the process and all of its group; returns how, in words. Not to be called twice."""
        try:
            how = self._ended()
        finally:
            self._signal(signal.SIGKILL)  # what it started, and itself if this wait was interrupted
        for reader in self._readers:
            reader.join(self._patience.end)
        for stream, reader in zip((self._process.stdout, self._process.stderr), self._readers, strict=True):
            if stream is not None and not reader.is_alive():
                stream.close()
        return how

    def _send(self, message: Message) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _next(self) -> Message:
        """The next message. Raises Empty if there is none in time, EOFError if there will be none."""
        left = self._patience.answers - self.age
        if left <= 0:  # also for one that never stops sending
            raise Empty
        arrived = self._arrived.get(timeout=left)
        if arrived is None:
            raise EOFError
        return arrived

    def _gone(self) -> str:
        try:
            status = self._process.wait(self._patience.end)
        except subprocess.TimeoutExpired:
            return "closed its output and went on"
        self._readers[1].join(self._patience.end)
        return f"ended with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"

    def _ended(self) -> str:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        if self._ends():
            return ENDED
        self._signal(signal.SIGTERM)
        if self._ends():
            return "did not end with its input, but when it was terminated"
        self._signal(signal.SIGKILL)
        self._process.wait()
        return "did not end until it was killed"

    def _ends(self) -> bool:
        try:
            self._process.wait(self._patience.end)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _hear(self, output: IO[bytes]) -> None:
        while line := output.readline(LONGEST_LINE):
            message = _message(line)
            if message is not None:
                self._arrived.put(message)
                continue
            self.strays += 1
            if len(self.stray) < KEPT:
                self.stray.append(_text(line))
        self._arrived.put(None)

    def _overhear(self, errors: IO[bytes]) -> None:
        while line := errors.readline(LONGEST_LINE):
            self.complaints.append(_text(line))


def _message(line: bytes) -> Message | None:
    """A line as a message of JSON-RPC, None if it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None


def _result(method: str, answer: Message) -> Message:
    refusal, result = answer.get("error"), answer.get("result")
    if refusal is not None:
        said = refusal.get("message") if isinstance(refusal, dict) else refusal
        raise Unanswered(method, f"refused: {said}")
    if not isinstance(result, dict):
        raise Unanswered(method, f"the answer holds no result: {json.dumps(answer)[:200]}")
    return result


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")
