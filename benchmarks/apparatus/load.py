"""h2load, the load generator of nghttp2: one prepared gRPC message sent over and over, faster than a Python client can."""

import re
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apparatus.servers import Server

CONNECTIONS: Final = 4
STREAMS: Final = 8
"""Calls in flight on each connection."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a run of h2load saw, and what it cost the server."""

    calls: int
    per_second: float
    server_us_per_call: float
    """Processor time of the server."""


def unary(
    server: Server, method: str, message: bytes, calls: int, token: str = "", *, encrypted: bool = False
) -> Throughput:
    """Calls a unary method `calls` times with the same message, and a token if there is one; over TLS where `encrypted`.

    Raises RuntimeError unless every call was answered, be it by an error.
    """
    frame = struct.pack(">?I", False, len(message)) + message
    with tempfile.NamedTemporaryFile(suffix=".grpc") as body:
        Path(body.name).write_bytes(frame)
        flags = [f"-n{calls}", f"-c{CONNECTIONS}", f"-m{STREAMS}", f"-d{body.name}"]
        headers = ["-Hcontent-type: application/grpc", "-Hte: trailers"]
        headers += [f"-Hauthorization: Bearer {token}"] if token else []
        before = server.cpu_seconds()
        run = subprocess.run(
            [_h2load(), *flags, *headers, f"http{'s' if encrypted else ''}://{server.address}{method}"],
            capture_output=True,
            text=True,
            check=True,
        )
        spent = server.cpu_seconds() - before
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", run.stdout)
    if rate is None or f" {calls} succeeded, 0 failed" not in run.stdout:
        raise RuntimeError(f"h2load did not get {calls} answers:\n{run.stdout}{run.stderr}")
    return Throughput(calls, float(rate[1]), spent / calls * 1e6)


def _h2load() -> str:
    found = shutil.which("h2load")
    if found is None:
        raise SystemExit(
            "this benchmark needs h2load (apt-get install nghttp2-client): a Python client is too slow for it"
        )
    return found
