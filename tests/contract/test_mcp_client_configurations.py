"""Configurations to copy have the form their client reads, and what they start is the bridge."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.mcp_bridge.tools import offered

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "mcp"
PLACEHOLDER = "/path/to/.venv/bin/python"
PATIENCE = 60.0
"""Seconds a client of little patience waits for the first answer."""


@dataclass(frozen=True)
class Form:
    """What a client reads: the key its servers are under, the name of ours, and what an entry holds beside command and args."""

    servers: str = "mcpServers"
    name: str = "emotion_engine"
    others: Mapping[str, type] | None = None


STDIO = {"type": str}
FORMS = {
    "claude-desktop.json": Form(),
    "claude-code.json": Form(others=STDIO | {"env": dict}),
    "cursor.json": Form(others=STDIO),
    "vscode.json": Form("servers", others=STDIO),
    "windsurf.json": Form(),
    "zed.json": Form("context_servers", others={"env": dict}),
    "cline.json": Form(others={"env": dict, "disabled": bool, "autoApprove": list, "timeout": int}),
    # Its policies take what is before the first underscore for the server's name.
    "gemini-cli.json": Form(name="emotion-engine", others={"timeout": int, "trust": bool}),
    "codex.toml": Form("mcp_servers", others={"startup_timeout_sec": int, "tool_timeout_sec": int}),
}


def read(name: str) -> dict[str, Any]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)


def entry(name: str) -> dict[str, Any]:
    form = FORMS[name]
    return read(name)[form.servers][form.name]


def test_every_file_has_a_form_and_a_line_in_the_readme() -> None:
    there = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    assert there == set(FORMS)
    table = re.findall(r"^\| [^|]+ \| `([^`]+)` \| [^|]+ \|$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(FORMS)


@pytest.mark.parametrize("name", FORMS)
def test_a_configuration_has_the_form_its_client_reads(name: str) -> None:
    form, whole = FORMS[name], read(name)
    assert list(whole) == [form.servers]
    assert list(whole[form.servers]) == [form.name]
    others = {key: type(value) for key, value in entry(name).items() if key not in ("command", "args")}
    assert others == (form.others or {})
    assert others.get("type") is None or entry(name)["type"] == "stdio"


@pytest.mark.parametrize("name", FORMS)
def test_a_configuration_starts_the_bridge_by_an_absolute_interpreter(name: str) -> None:
    assert entry(name)["command"] == PLACEHOLDER
    assert entry(name)["args"][:3] == ["-P", "-m", "emotional_ai.mcp_bridge"]


@pytest.fixture(scope="module")
def taken() -> set[str]:
    """Flags the bridge takes."""
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "emotional_ai.mcp_bridge", "--help"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return set(re.findall(r"--[a-z][a-z-]*", ran.stdout))


def test_flags_that_are_given_and_told_are_flags_the_bridge_takes(taken: set[str]) -> None:
    given = {argument for name in FORMS for argument in entry(name)["args"] if argument.startswith("--")}
    told = set(re.findall(r"--[a-z][a-z-]*", (FOLDER / "README.md").read_text("utf-8")))
    assert given | told <= taken
    assert {"--target", "--session", "--toolsets", "--read-only", "--autostart", "--http"} <= told


def test_tools_that_are_approved_are_tools_that_are_offered() -> None:
    assert set(entry("cline.json")["autoApprove"]) <= set(offered(Settings()))


def test_every_command_answers_the_handshake_in_a_folder_of_the_clients() -> None:
    commands = {(*entry(name)["args"], *sorted(entry(name).get("env", {}))) for name in FORMS}
    for arguments in commands:
        answer = initialized([sys.executable, *arguments])
        assert answer["result"]["serverInfo"]["name"] == "emotion_engine"
        assert answer["result"]["protocolVersion"] == "2025-06-18"


def initialized(command: list[str]) -> dict[str, Any]:
    """What a server started with `command` answers to initialize."""
    asked = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "a client", "version": "1"},
        },
    }
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()  # bounded by the limit of the test
            _, complaints = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert line, f"{command} ended without an answer: {complaints}"
    return json.loads(line)
