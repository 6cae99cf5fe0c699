"""A server over pipes that behaves but for one fault: `python misbehaving_server.py FAULT [FILE]`.

FILE, which may be a named pipe, gets the ids of its processes. Needs nothing but the standard library, so that it starts fast.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HUGE = 17 * 1024 * 1024
"""Bytes of a line that is too long to be a message."""
LONG = 1024 * 1024
"""Bytes of a line that is long, and a message."""

SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
STATUS = {"name": "engine_status", "inputSchema": SCHEMA}


def nested(key: str) -> dict[str, Any]:
    """A schema with a keyword two levels down."""
    return {"type": "object", "properties": {"mood": {"type": "array", "items": {key: []}}}}


TOOLS: dict[str, list[Any]] = {
    "no tools": [],
    "no tool of the status": [{"name": "feel", "inputSchema": SCHEMA}],
    "a reference": [
        STATUS,
        {"name": "feel", "inputSchema": {"type": "object", "properties": {"mood": {"$ref": "#/x"}}}},
    ],
    "definitions": [STATUS, {"name": "feel", "inputSchema": {"type": "object", "$defs": {}}}],
    "a combination": [STATUS, {"name": "feel", "inputSchema": nested("anyOf")}],
    "a schema of a list": [STATUS, {"name": "feel", "inputSchema": {"type": "array"}}],
    "no schema": [STATUS, {"name": "feel"}],
    "words of schemas as names": [
        STATUS,
        {
            "name": "feel",
            "inputSchema": {"type": "object", "properties": {"anyOf": {"type": "object", "default": {"$ref": ""}}}},
        },
    ],
    "a name with a dash": [STATUS, {"name": "feel-it", "inputSchema": SCHEMA}],
    "a name that begins with a digit": [STATUS, {"name": "9lives", "inputSchema": SCHEMA}],
    "a long name": [STATUS, {"name": "f" * 65, "inputSchema": SCHEMA}],
    "no name": [STATUS, {"inputSchema": SCHEMA}],
}
CURSORS: dict[str, object] = {"endless pages": "more", "a cursor that is a number": 7, "a long cursor": "c" * 5000}
CALLS: dict[str, object] = {
    "a call that fails": {"isError": True, "content": [{"type": "text", "text": "no engine room"}]},
    "a call without text": {"content": [{"type": "image"}]},
    "an engine that is down": {
        "content": [{"type": "text", "text": "It is down."}],
        "structuredContent": {"up": False, "target": "127.0.0.1:7"},
    },
}


def send(message: object) -> None:
    """One line on standard output."""
    sys.stdout.write(f"{message if isinstance(message, str) else json.dumps(message)}\n")
    sys.stdout.flush()


def result(fault: str, method: str, params: Any) -> object:
    """What a request is answered with."""
    match method, fault:
        case "initialize", "another protocol":
            return {"protocolVersion": "2019-01-01", "serverInfo": {}}
        case "initialize", "an older protocol":
            return {"protocolVersion": "2024-11-05", "serverInfo": {}}
        case "initialize", "no result":
            return None
        case "initialize", _:
            return {"protocolVersion": params["protocolVersion"], "serverInfo": {"name": "tester", "version": "1"}}
        case "tools/list", "a list that is none":
            return {"tools": "engine_status"}
        case "tools/list", "two pages" if "cursor" not in params:
            return {"tools": [{"name": "feel", "inputSchema": SCHEMA}], "nextCursor": "2"}
        case "tools/list", _:
            listed = {"tools": TOOLS.get(fault, [STATUS])}
            return listed | {"nextCursor": CURSORS[fault]} if fault in CURSORS else listed
        case _:
            return CALLS.get(fault, {"content": [{"type": "text", "text": "It is up."}]})


def before(fault: str) -> None:
    """What it does as soon as it has started."""
    match fault:
        case "a banner":
            send("Welcome to the engine!")
            send('{"level": "info"}')
        case "a huge line":
            send("x" * HUGE)
        case "ends at once":
            sys.stderr.write("no engine room\n")
            sys.exit(3)
        case "closes its output":
            os.close(1)
        case "floods":
            while True:
                send({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
        case "heeds no signal":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def answered(fault: str, asked: Any) -> None:
    """Answers a request, unless that is the fault."""
    match fault:
        case "says nothing" | "closes its output":
            return
        case "refuses the list" if asked["method"] == "tools/list":
            send({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32603, "message": "not today"}})
            return
        case "is killed" if asked["method"] == "tools/list":
            os.kill(os.getpid(), signal.SIGKILL)
        case "asks back":
            send({"jsonrpc": "2.0", "id": asked["id"], "method": "ping"})
        case "a long line":
            send({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * LONG}})
    send({"jsonrpc": "2.0", "id": asked["id"], "result": result(fault, asked["method"], asked["params"])})


def processes(fault: str) -> Iterable[int]:
    """Its processes: itself, and a child of its own that never ends and holds its pipes, if that is the fault."""
    yield os.getpid()
    if fault == "leaves a child":
        yield subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"]).pid


def main(fault: str, file: str = os.devnull) -> None:
    """Serves until its input ends, or for ever."""
    Path(file).write_text(" ".join(map(str, processes(fault))))
    before(fault)
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            answered(fault, asked)
    while fault in ("heeds no end", "heeds no signal"):
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
