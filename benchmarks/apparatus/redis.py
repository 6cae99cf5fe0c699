"""A Redis server of a measurement's own, ended with it.

with redis(folder) as url: ...
server_at(url).memory()
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apparatus import processes

PATIENCE: Final = 10.0
"""Seconds the server may take to start."""


@dataclass(frozen=True, slots=True)
class Redis:
    """A Redis server, asked over its wire and seen by the system."""

    port: int
    pid: int

    def asked(self, section: str, name: str) -> int:
        """A number of INFO."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(f"INFO {section}\r\nQUIT\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
        return int(next(line for line in answer.splitlines() if line.startswith(f"{name}:")).partition(":")[2])

    def memory(self) -> int:
        """Bytes it holds its data in."""
        return self.asked("memory", "used_memory")

    def cpu_seconds(self) -> float:
        """Processor time of all its threads."""
        return processes.cpu_seconds(self.pid)


def server_at(url: str) -> Redis:
    """The server at a URL, on this machine."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    told = Redis(port, 0)
    return Redis(port, told.asked("server", "process_id"))


@contextmanager
def redis(folder: Path, *, fsync: str = "everysec") -> Iterator[str]:
    """A server with an append-only file in `folder`, synced as `fsync` says; yields its URL. Exits where there is no Redis."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("this benchmark needs redis-server: install Debian's package of that name")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", fsync]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.02)
