"""What the MCP bridge costs: nothing heavy is imported, memory stays small, and the benchmark of the rest runs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest
from loopback import PATIENCE, service
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_bridge import answer, command

BENCHMARK: Final = Path(__file__).resolve().parents[2] / "benchmarks" / "mcp_bridge.py"
HEAVY: Final = frozenset({"torch", "numpy", "typer", "scipy", "transformers", "rich", "matplotlib"})


async def test_a_bridge_at_work_imports_no_model_library_and_no_command_line() -> None:
    with service() as target, tempfile.TemporaryFile("w+") as told:
        program, *arguments = command(target, "--toolsets", "emotion,inference,training")
        bridge = StdioServerParameters(command=program, args=["-X", "importtime", *arguments])
        async with Client(stdio_client(bridge, told), read_timeout_seconds=PATIENCE) as client:
            answer(await client.call_tool("update_emotion", {"reward": 0.5}))
            answer(await client.call_tool("explain_emotion"))
            await client.read_resource("emotion://sessions/default/history")
            await client.get_prompt("describe_state")
        told.seek(0)
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told if "|" in line}
    assert {"grpc", "mcp", "emotional_ai"} <= imported
    assert not imported & HEAVY


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="the benchmark gives the service a core of its own")
def test_the_benchmark_measures_what_is_wanted_and_memory_stays_below_120_mb() -> None:
    ran = subprocess.run(
        [sys.executable, str(BENCHMARK), "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    measured = json.loads(ran.stdout)
    assert all(row["p50_s"] > 0 for row in measured["starts"])
    assert all(row["p50_ms"] > 0 for row in measured["round_trips"])
    assert measured["memory"][-1]["notices"] > 0
    wanted = {row["what"]: row for row in measured["goals"]}
    assert [row["at_most"] for row in wanted.values()] == [2.5, 5.0, 120.0]
    assert wanted["resident memory at its highest, MB"]["met"]
