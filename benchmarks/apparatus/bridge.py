"""The MCP bridge in a process of its own, spoken to in lines: what is measured is the bridge, and no client library."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

VERSION: Final = "2025-11-25"
"""Of the protocol."""
UPDATED: Final = "notifications/resources/updated"


class Bridge:
    """A bridge that has been started, and may still be importing."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._to, self._of = process.stdin, process.stdout
        self._asked = 0
        self.notices = 0
        """How often it told that a state has moved."""

    def initialize(self) -> None:
        """Shakes hands, but for the client's last word; returns with the first answer."""
        self.ask(
            "initialize",
            protocolVersion=VERSION,
            capabilities={},
            clientInfo={"name": "benchmark", "version": "1"},
        )

    def initialized(self) -> None:
        """The client's last word of the handshake."""
        self._send({"method": "notifications/initialized"})

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a request. Raises RuntimeError for an error, of the protocol or of a tool."""
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while (answer := self._received()).get("id") != self._asked:
            self.notices += answer.get("method") == UPDATED
        result: dict[str, Any] = answer.get("result", {})
        if "error" in answer or result.get("isError"):
            raise RuntimeError(f"{method} failed: {answer}")
        return result

    def call(self, tool: str, **arguments: object) -> None:
        """Calls a tool."""
        self.ask("tools/call", name=tool, arguments=arguments)

    def memory(self) -> dict[str, float]:
        """Resident megabytes, and its share of them where pages are shared with other processes."""
        fields = dict(line.split(":") for line in self._told("smaps_rollup").splitlines()[1:])
        return {name: int(fields[key].split()[0]) * 1024 / 1e6 for name, key in (("rss_mb", "Rss"), ("pss_mb", "Pss"))}

    def _told(self, file: str) -> str:
        return Path(f"/proc/{self._process.pid}/{file}").read_text()

    def _send(self, message: dict[str, object]) -> None:
        self._to.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._to.flush()

    def _received(self) -> dict[str, Any]:
        line = self._of.readline()
        if not line:
            raise RuntimeError(f"the bridge ended with status {self._process.wait()}")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def bridge(target: str) -> Iterator[Bridge]:
    """Starts a bridge to the service at `target`, where there need not be one; it ends with the block."""
    command = [sys.executable, "-m", "emotional_ai.mcp_bridge", "--target", target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        try:
            yield Bridge(process)
        finally:
            process.terminate()
