"""The README and what Kiro is told of the project, held to the files and to what the code does."""

import re
from pathlib import Path

import pytest
from google.protobuf import json_format
from loopback import service
from openai_door import door
from scripted_speech import Script, scripted_service

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
STEERING = sorted((ROOT / ".kiro" / "steering").glob("*.md"))
IN_FOLDERS = ("__init__.py", "requirements.md", "design.md", "tasks.md")
"""Names of files that stand for one in every folder of a kind."""
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "specs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "examples").rglob("*.md")),
    *STEERING,
    ROOT / ".kiro" / "hooks" / "README.md",
]


BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with service() as address:
        exec(BLOCKS[0].replace("127.0.0.1:50051", address), {})
    printed = [float(word) for word in capsys.readouterr().out.split()]
    assert printed[0] > 0.5


def test_openais_client_in_the_readme_talks_to_a_feeling_agent(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted_service(Script()) as address, door(address) as url:
        exec(BLOCKS[1].replace("http://127.0.0.1:8080/v1", url), {})
    reply, feeling = capsys.readouterr().out.splitlines()
    assert reply == "I am here for you."
    assert re.fullmatch(r"[a-z ]+ 0\.\d+ -> 0\.\d+", feeling)


def test_every_block_of_python_in_the_readme_is_run() -> None:
    assert len(BLOCKS) == 2


def test_every_file_the_readme_draws_is_there() -> None:
    tree = README.split("## What is where")[1].split("\n- [")[0]
    folder = ROOT
    drawn = 0
    for line in tree.splitlines():
        if not line.startswith("    "):
            continue
        names = line.strip().split("  ")[0].split()
        if not line.startswith("      "):
            folder = ROOT / names[0]
            names = [""]
        for name in names:
            assert (folder / name).exists(), f"{folder / name} is drawn in the README and not there"
            drawn += 1
    assert drawn > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_target_the_readme_names_exists() -> None:
    for target in set(re.findall(r"(?:`|^ {4}|\| )make ([a-z-]+)", README, re.MULTILINE)):
        assert _made(target), target


def test_every_test_in_a_browser_is_of_the_target_that_installs_one() -> None:
    (patterns,) = re.findall(
        r"^PAGE := \$\(wildcard ([^)]+)\)(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    there = {path for pattern in " ".join(patterns).split() for path in ROOT.glob(pattern)}
    browsed = {
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"^from browser import .*\bwanted\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(browsed) > 10
    assert there == browsed


def test_the_example_simulates() -> None:
    request = engine_pb2.SimulateRequest()
    json_format.Parse((ROOT / "examples" / "conversation.json").read_text(encoding="utf-8"), request)
    with service() as address, Client(address) as client:
        response = client.simulate(request.times, events=request.events, sustained=request.sustained)
    assert len(response) == len(request.times)


@pytest.mark.parametrize("page", STEERING, ids=lambda page: page.stem)
def test_what_kiro_is_told_of_the_project_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("---\ninclusion: always\n---\n# ")
    for path in _paths(text):
        assert (ROOT / path).exists(), f"{page.name} names {path}, which is not there"
    for target in re.findall(r"`make ([a-z-]+)`", text):
        assert _made(target), f"{page.name} names make {target}, which is no target"


def test_kiro_is_told_the_commands_the_layers_and_the_places_to_add() -> None:
    assert [page.stem for page in STEERING] == ["product", "structure", "tech"]
    named = {page.stem: page.read_text(encoding="utf-8") for page in STEERING}
    assert {"run", "test", "check", "protos", "train", "bench"} <= set(re.findall(r"`make ([a-z-]+)`", named["tech"]))
    assert len(_paths(named["structure"])) > 30


def _paths(page: str) -> list[str]:
    """What a page names in backquotes or draws in its tree, as paths from the root."""
    quoted = [one for one in re.findall(r"`([^`\s<>]+)`", page) if re.search(r"/|\.(?:md|py|yaml|proto)$", one)]
    drawn = [word for line in re.findall(r"^ {4}(\S.*)$", page, re.MULTILINE) for word in line.split("  ")[0].split()]
    listed = [one for one in quoted if one not in IN_FOLDERS]
    return [one for path in listed + drawn for one in _braces(path)]


def _made(target: str) -> bool:
    return re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE) is not None


def _braces(pattern: str) -> list[str]:
    match = re.search(r"\{(.*?)\}", pattern)
    if not match:
        return [pattern]
    return [pattern.replace(match.group(0), one) for one in match.group(1).split(",")]
