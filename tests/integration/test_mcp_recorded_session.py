"""The session of the README, followed as a new user would: install, list, update by text, read, explain, reply."""

import json
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from command_line import CommandLine
from loopback import PATIENCE, service
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_bridge import LEGACY, said

from emotional_ai_service.settings import LanguageSettings, Settings, StoreKind, StoreSettings
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
CALL = re.compile(r"^ {4}([a-z_]+)((?: [a-z_]+=(?:\"[^\"]*\"|\S+))*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    cache = cache_dir(os.environ)
    language = LanguageSettings(
        model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache, threads=1
    )
    with service(Settings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language)) as running:
        yield running


async def test_the_session_of_the_readme_goes_as_it_says(address: str, tmp_path: Path) -> None:
    installed = CommandLine(address)("install-kiro", "--workspace", str(tmp_path), *_flags(), "--target", address)
    assert installed.status == 0, installed.err
    assert installed.out.splitlines()[-1] in README
    async with _as_kiro_does(_entry(tmp_path / ".kiro" / "settings" / "mcp.json")) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        recorded = list(_recorded())
        assert [name for name, _, _ in recorded] == [
            "update_emotion",
            "get_emotional_state",
            "explain_emotion",
            "generate_reply",
        ]
        assert {name for name, _, _ in recorded} <= listed
        for name, arguments, told in recorded:
            result = await client.call_tool(name, dict(arguments))
            assert not result.is_error, said(result)
            if name == "generate_reply":
                assert said(result).strip()
            else:
                assert _shape(said(result)) == _shape(told), name


def _flags() -> list[str]:
    """What the README gives the installer."""
    given = re.search(r"^ {4}\$ emotional-ai install-kiro --workspace DIR((?: --\S+ \S+)*)$", README, re.MULTILINE)
    assert given is not None
    return given[1].split()


def _recorded() -> Iterator[tuple[str, Mapping[str, object], str]]:
    """Calls of the README with their answers: a call a line, an answer on the lines after it that begin with `>`."""
    section = README.partition("## In Kiro")[2].partition("\n## ")[0]
    lines = section.splitlines()
    for number, line in enumerate(lines):
        call = CALL.match(line)
        if call is None or number + 1 == len(lines) or not lines[number + 1].startswith("    > "):
            continue
        arguments = dict(re.findall(r" ([a-z_]+)=(\"[^\"]*\"|\S+)", call[2]))
        told = []
        for answer in lines[number + 1 :]:
            if not answer.startswith("    > "):
                break
            told.append(answer.removeprefix("    > "))
        yield call[1], {name: json.loads(value) for name, value in arguments.items()}, "\n".join(told)


def _shape(text: str) -> str:
    """A text without its line ends and what depends on the moment: numbers, and the pull back to rest."""
    return NUMBER.sub("#", " ".join(text.split())).replace(", homeostasis #", "")


def _entry(settings: Path) -> StdioServerParameters:
    """How the settings have Kiro start the bridge; its folder is its own."""
    entry = json.loads(settings.read_text(encoding="utf-8"))["mcpServers"]["emotion_engine"]
    return StdioServerParameters(command=entry["command"], args=entry["args"], env=entry["env"], cwd="/")


@asynccontextmanager
async def _as_kiro_does(entry: StdioServerParameters) -> AsyncIterator[Client]:
    transport = stdio_client(entry)
    async with Client(transport, mode=LEGACY, read_timeout_seconds=PATIENCE) as client:
        yield client
