"""Clients of others with the bridge: the MCP inspector, the conformance suite, both lines of the official TypeScript client.

They run where they are installed, by `make mcp-clients`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from loopback import PATIENCE, service
from mcp_bridge import command, over_http
from scripted_speech import Script, scripted_service

from emotional_ai_training.models import cache_dir

HERE: Final = Path(__file__).resolve().parents[1] / "clients"
CLIENTS: Final = cache_dir(os.environ) / "mcp-clients"
BASELINE: Final = HERE / "conformance.yml"
SPEAKING: Final = ("--toolsets", "emotion,inference")
IS_ERROR: Final = 5
"""Exit status of the inspector where a tool answered with an error."""


def installed() -> bool:
    """Whether the clients are there, in the versions wanted."""
    stamp = CLIENTS / "installed"
    return stamp.is_file() and stamp.read_bytes() == (HERE / "package-lock.json").read_bytes()


wanted = pytest.mark.skipif(not installed(), reason=f"{CLIENTS} lacks the MCP clients of others: make mcp-clients")


@dataclass(frozen=True, slots=True)
class Node:
    """Runs programs of the clients in a folder that holds their packages."""

    folder: Path

    def __call__(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"HOME": str(self.folder), "MCP_INSPECTOR_SECRET_STORE": "memory"}
        return subprocess.run(
            [str(CLIENTS / "bin" / "node"), program, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    folder = tmp_path_factory.mktemp("clients")
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(CLIENTS / "node_modules")
    return Node(folder)


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with service() as address:
        yield address


@pytest.fixture(scope="module")
def settings(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kiro's settings as the installer writes them."""
    workspace = tmp_path_factory.mktemp("workspace")
    install = [sys.executable, "-m", "emotional_ai", "install-kiro", "--workspace", str(workspace), "--target", engine]
    subprocess.run(install, check=True, capture_output=True, timeout=PATIENCE)
    return workspace / ".kiro" / "settings" / "mcp.json"


@dataclass(frozen=True, slots=True)
class Inspector:
    """The MCP inspector's command line, on Kiro's settings."""

    node: Node
    settings: Path

    def __call__(self, method: str, *flags: str, status: int = 0) -> Mapping[str, Any]:
        launcher = "node_modules/.bin/mcp-inspector"
        where = ("--cli", "--config", str(self.settings), "--server", "emotion_engine")
        ran = self.node(launcher, *where, "--method", method, *flags)
        assert ran.returncode == status, ran.stderr + ran.stdout
        told: Mapping[str, Any] = json.loads(ran.stdout)
        return told


@pytest.fixture(scope="module")
def inspector(node: Node, settings: Path) -> Inspector:
    return Inspector(node, settings)


@wanted
def test_the_inspector_lists_the_tools_and_finds_every_schema_portable(inspector: Inspector) -> None:
    names = [tool["name"] for tool in inspector("tools/list", "--strict")["tools"]]
    assert names[:2] == ["get_emotional_state", "update_emotion"]


@wanted
def test_the_inspector_calls(inspector: Inspector) -> None:
    changed = inspector("tools/call", "--tool-name", "update_emotion", "--tool-arg", "reward=0.5")
    assert changed["structuredContent"]["heard"] == {"reward": 0.5}
    state = inspector("tools/call", "--tool-name", "get_emotional_state")
    assert state["structuredContent"]["dopamine"] > state["structuredContent"]["dopamine_at_rest"]


@wanted
def test_the_inspector_tells_a_refusal_from_an_answer(inspector: Inspector) -> None:
    refused = inspector("tools/call", "--tool-name", "update_emotion", "--tool-arg", "reward=7", status=IS_ERROR)
    assert refused["isError"]
    assert refused["content"][0]["text"].startswith("[INVALID_ARGUMENT] reward ")


@wanted
def test_no_call_fails_under_load_of_the_inspector(inspector: Inspector) -> None:
    load = ("--load", "--load-requests", "200", "--load-concurrency", "20")
    ran = inspector("tools/call", "--tool-name", "update_emotion", "--tool-arg", "novelty=0.1", *load)
    assert (ran["ok"], ran["errors"], ran["toolErrors"]) == (200, 0, 0)


@wanted
def test_the_inspector_reads(inspector: Inspector) -> None:
    assert "emotion://schema" in {one["uri"] for one in inspector("resources/list")["resources"]}
    (content,) = inspector("resources/read", "--uri", "emotion://schema")["contents"]
    assert set(json.loads(content["text"])["chemicals"]) == {"dopamine", "serotonin", "cortisol", "oxytocin"}


@wanted
def test_the_inspector_prompts(inspector: Inspector) -> None:
    assert "describe_state" in {one["name"] for one in inspector("prompts/list")["prompts"]}
    (message,) = inspector("prompts/get", "--prompt-name", "describe_state")["messages"]
    assert "default feels" in message["content"]["text"]


@wanted
@pytest.mark.parametrize(
    "scope",
    [("--spec-version", "2025-06-18"), ("--requirements", "2025-11-25"), ("--requirements", "2026-07-28")],
    ids=lambda scope: scope[1],
)
def test_the_conformance_suite_passes_but_for_what_is_explained(
    scope: tuple[str, str], node: Node, engine: str, tmp_path: Path
) -> None:
    with over_http(engine) as bridge:
        ran = node(
            "node_modules/.bin/conformance",
            *("server", "--url", bridge.url, *scope),
            *("--expected-failures", str(BASELINE), "--output-dir", str(tmp_path)),
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    checks = [check for file in tmp_path.glob("*/checks.json") for check in json.loads(file.read_text())]
    schemas = [check for check in checks if check["id"] == "wire-schema-valid"]
    assert len(schemas) > 20
    assert [check for check in schemas if check["status"] != "SUCCESS"] == []


def test_each_failure_that_is_expected_is_explained_and_none_excuses_an_invalid_message() -> None:
    entries = [line for line in BASELINE.read_text(encoding="utf-8").splitlines() if line.startswith("  - ")]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"  - [\w-]+:[\w-]+  # .+", entry), f"{entry} does not say why"
        assert "wire-schema-valid" not in entry


ERAS: Final = ("handshake", "self-contained")
TRANSPORTS: Final = ("stdio", "http")


@contextmanager
def reached(transport: str, target: str) -> Iterator[tuple[str, ...]]:
    """How a script reaches a bridge that lets the agent speak: by a command, or by an address."""
    if transport == "stdio":
        yield command(target, *SPEAKING)
    else:
        with over_http(target, *SPEAKING) as bridge:
            yield (bridge.url,)


@wanted
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_typescript_client_is_served_in_everything(era: str, transport: str, node: Node, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    os.mkfifo(heard)
    with scripted_service(Script(ends_after=heard)) as target, reached(transport, target) as where:
        ran = node("everything.mjs", era, str(heard), *where)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == "ok leaves"


@wanted
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_the_typescript_client_cancels_is_cancelled_at_the_service(era: str, transport: str, node: Node) -> None:
    script = Script(pause_after=1)
    with scripted_service(script) as target, reached(transport, target) as where:
        ran = node("cancellation.mjs", era, *where)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert script.cancelled.wait(PATIENCE)
