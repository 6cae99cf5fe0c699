"""A Redis server of a measurement's own, ended with it.

with redis(folder) as url: ...
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PATIENCE: Final = 10.0
"""Seconds the server may take to start."""


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
