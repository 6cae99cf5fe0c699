"""A real Redis server of a test's own: its port, its directory, its end.

    with RedisServer(folder, "--appendfsync", "always") as server:
        store = await RedisStore.open(server.address)
        server.kill()           as by kill -9
        server.start()          on what its directory holds

Where there is no `redis-server`, `needed` skips the test and says so.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from ports import free_port

from emotional_ai_service.stores import RedisAddress

PATIENCE = 30.0
"""Seconds the server may take to start and to end."""


def needed() -> str:
    """The program; skips the test where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here: install Debian's redis-server")
    return program


class RedisServer:
    """A server that is up while it is entered, with an append-only file unless its options say otherwise.

    `inside` begins the command, where it is to run in another network, as `host` there.
    """

    def __init__(
        self, folder: Path, *options: str, port: int = 0, host: str = "127.0.0.1", inside: Sequence[str] = ()
    ) -> None:
        self.port = port or free_port()
        self.host = host
        self.address = RedisAddress(host, self.port)
        self.url = f"redis://{host}:{self.port}"
        self._folder = folder
        self._command = [*inside, needed(), "--port", str(self.port), "--bind", host, "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "yes", "--enable-debug-command", "local", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = (self._folder / "redis.log").open("ab")
        self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until its data is loaded and it takes commands."""
        for _ in range(int(PATIENCE / 0.02)):
            assert self._process is not None
            try:
                self._process.wait(0.02)
            except subprocess.TimeoutExpired:
                if self._answers():
                    return
            else:
                raise AssertionError((self._folder / "redis.log").read_text())
        raise AssertionError(f"redis-server did not start: {(self._folder / 'redis.log').read_text()}")

    def wait_for(self, *words: str, holds: str) -> None:
        """Until the answer to a command holds a text."""
        end = time.monotonic() + PATIENCE
        while holds not in (answer := self.ask(*words)):
            assert time.monotonic() < end, answer

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Ends it as kill -9 does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def freeze(self) -> None:
        """Has it stand still: connections are taken by the kernel, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: str) -> str:
        """What it answers to one command, as it is spelled on the wire."""
        packed = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w.encode()), w.encode()) for w in words)
        with socket.create_connection((self.host, self.port), PATIENCE) as connection:
            connection.sendall(packed + b"*1\r\n$4\r\nQUIT\r\n")
            return b"".join(iter(lambda: connection.recv(65_536), b"")).removesuffix(b"+OK\r\n").decode()

    def all_keys(self) -> list[str]:
        """Every key it holds, in order."""
        return sorted(self.ask("KEYS", "*").split("\r\n")[2::2])

    def _answers(self) -> bool:
        try:
            return self.ask("PING").startswith(("+PONG", "-NOAUTH"))
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
