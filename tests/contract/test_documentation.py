"""The README and the specifications, held to the files and to what the code does."""

import re
from pathlib import Path

import pytest
from google.protobuf import json_format
from loopback import service

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "specs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]


def test_the_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with service() as address:
        exec(block.replace("127.0.0.1:50051", address), {})
    printed = [float(word) for word in capsys.readouterr().out.split()]
    assert printed[0] > 0.5


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
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^ {4}|\| )make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_example_simulates() -> None:
    request = engine_pb2.SimulateRequest()
    json_format.Parse((ROOT / "examples" / "conversation.json").read_text(encoding="utf-8"), request)
    with service() as address, Client(address) as client:
        response = client.simulate(request.times, events=request.events, sustained=request.sustained)
    assert len(response) == len(request.times)


@pytest.mark.parametrize("feature", ["blending", "emotion-engine", "training"])
def test_tasks_name_requirements_and_tests_that_exist(feature: str) -> None:
    folder = ROOT / "specs" / feature
    requirements = (folder / "requirements.md").read_text(encoding="utf-8")
    known = set()
    for number, body in re.findall(
        r"### Requirement (\d+):[^\n]*\n(.*?)(?=### Requirement|\Z)", requirements, re.DOTALL
    ):
        known |= {f"{number}.{criterion}" for criterion in re.findall(r"^(\d+)\. ", body, re.MULTILINE)}
    tasks = (folder / "tasks.md").read_text(encoding="utf-8")
    named = {one for line in re.findall(r"_Requirements: (.*?)_", tasks) for one in line.split(", ")}
    assert named == known
    for pattern in re.findall(r"`(tests/[^`]+)`", tasks):
        for alternative in _braces(pattern):
            assert list(ROOT.glob(alternative)), f"tasks.md names {alternative}, which is not there"


def _braces(pattern: str) -> list[str]:
    match = re.search(r"\{(.*?)\}", pattern)
    if not match:
        return [pattern]
    return [pattern.replace(match.group(0), one) for one in match.group(1).split(",")]
