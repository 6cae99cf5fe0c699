"""Reads a specification in Kiro's form, and says what is wrong with it: form, names, numbers, and the trace to tests.

requirements.md   glossary; requirements with a user story and criteria in EARS: WHEN <event>, THE <Name> SHALL <response>
design.md         its sections, and properties that validate criteria
tasks.md          tasks that name criteria; a done one has for each of them a test that exists
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILES: Final = ("requirements.md", "design.md", "tasks.md")
SECTIONS: Final = (
    "Overview",
    "Architecture",
    "Components and Interfaces",
    "Data Models",
    "Correctness Properties",
    "Error Handling",
    "Testing Strategy",
)
"""Of a design, in this order; others may stand between them."""
STORY: Final = re.compile(r"\*\*User Story:\*\* As an? .+, I want .+, so that .+\.")
PART: Final = r"(?:(?!WHERE |WHILE |WHEN |IF |THEN ).)+, "
CONDITION: Final = re.compile(rf"(WHERE {PART})?(WHILE {PART})?(WHEN {PART}|IF {PART}THEN )?")
TASK: Final = re.compile(r"(  )?- \[([ x])\] (\d+)\.(\d+)? (\S.*)")
PROOF: Final = re.compile(r"(\d+\.\d+): (`[^`]+`(?:, `[^`]+`)*)")
NUMBERS: Final = re.compile(r"\d+\.\d+(?:, \d+\.\d+)*")


@dataclass(slots=True)
class Task:
    """A task, and what stands below it."""

    number: str
    done: bool
    below: list[str] = field(default_factory=list)
    """Its lines of detail, without bullets."""
    parts: list["Task"] = field(default_factory=list)


def faults(folder: Path, root: Path) -> list[str]:
    """What is wrong with the specification in `folder`, each fault with its file; `root` is where tests are named from."""
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    known = criteria(texts["requirements.md"])
    found = {
        "requirements.md": [*_requirement_faults(texts["requirements.md"])],
        "design.md": [*_design_faults(texts["design.md"], known)],
        "tasks.md": [*_task_faults(texts["tasks.md"], known, root)],
    }
    return [f"{name}: {fault}" for name, these in found.items() for fault in these]


def criteria(requirements: str) -> dict[str, str]:
    """Each criterion by its number, such as "2.1"."""
    found: dict[str, str] = {}
    for number, _, body in _numbered(requirements, "Requirement"):
        found |= {f"{number}.{one}": text for one, text in _listed(body)}
    return found


def _requirement_faults(text: str) -> Iterator[str]:
    if not text.startswith("# Requirements"):
        yield "does not begin with # Requirements"
    if [line for line in text.splitlines() if line.startswith("## ")] != [
        "## Introduction",
        "## Glossary",
        "## Requirements",
    ]:
        yield "its sections are not Introduction, Glossary and Requirements"
    glossary = _section(text, "Glossary")
    names = re.findall(r"^- \*\*([^*]+)\*\*: \S", glossary, re.MULTILINE)
    yield from (f"{name} is twice in the glossary" for name in _repeated(names))
    rest = text.replace(glossary, "")
    unused = [name for name in names if not re.search(rf"\b{name}\b", rest, re.IGNORECASE)]
    yield from (f"{name} is in the glossary and in no requirement" for name in unused)
    requirements = list(_numbered(text, "Requirement"))
    yield from _gaps("requirement", [number for number, _, _ in requirements])
    for number, title, body in requirements:
        if not title:
            yield f"requirement {number} has no title"
        story, heading, _ = body.partition("\n#### Acceptance Criteria\n")
        if not STORY.fullmatch(_line(story)):
            yield f"requirement {number} has no user story of the form **User Story:** As a ..., I want ..., so that ..."
        if not heading:
            yield f"requirement {number} has no #### Acceptance Criteria"
        listed = _listed(body)
        yield from _gaps(f"criterion of requirement {number}", [one for one, _ in listed])
        for one, criterion in listed:
            yield from (f"{number}.{one} {fault}" for fault in _criterion_faults(criterion, names))


def _criterion_faults(text: str, names: Sequence[str]) -> Iterator[str]:
    head, shall, response = text.partition(" SHALL ")
    condition, the, name = head.rpartition("THE ")
    if not shall or " SHALL " in response or not response.endswith("."):
        yield "does not say once what SHALL be, in a sentence"
    elif not the or not CONDITION.fullmatch(condition):
        yield "is not of the form [WHERE ...,] [WHILE ...,] [WHEN ..., | IF ..., THEN] THE <Name> SHALL ..."
    elif name not in names:
        yield f"says what {name!r} shall do, which is not in the glossary"


def _design_faults(text: str, known: dict[str, str]) -> Iterator[str]:
    sections = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    if [one for one in sections if one in SECTIONS] != list(SECTIONS):
        yield f"its sections are not, in this order, {', '.join(SECTIONS)}"
    properties = list(_numbered(text, "Property"))
    yield from _gaps("property", [number for number, _, _ in properties])
    for number, title, body in properties:
        validated = re.findall(r"^\*\*Validates: Requirements (.*)\*\*$", body, re.MULTILINE)
        if not title or len(validated) != 1 or not NUMBERS.fullmatch(validated[0]):
            yield f"property {number} has no title, or no single line **Validates: Requirements N.M**"
            continue
        yield from _unknown(f"property {number}", validated[0].split(", "), known)


def _task_faults(text: str, known: dict[str, str], root: Path) -> Iterator[str]:
    tasks, strange = _tasks(text)
    yield from (f"is no task and no detail of one: {line!r}" for line in strange)
    yield from _gaps("task", [int(task.number) for task in tasks])
    named: set[str] = set()
    for task in tasks:
        yield from _gaps(
            f"part of task {task.number}", [int(part.number.split(".")[1]) for part in task.parts], least=0
        )
        if task.parts and task.done != all(part.done for part in task.parts):
            yield f"task {task.number} is {'done' if task.done else 'open'} and its parts are not"
        for leaf in task.parts or [task]:
            numbers, these = _leaf(leaf, known, root)
            named |= numbers
            yield from these
    yield from (f"no task names criterion {number}" for number in known if number not in named)


def _leaf(task: Task, known: dict[str, str], root: Path) -> tuple[set[str], list[str]]:
    """The criteria a task names, and what is wrong with it."""
    found: list[str] = []
    line = task.below[-1] if task.below else ""
    match = re.fullmatch(r"_Requirements: (.*)_", line)
    if match is None or not NUMBERS.fullmatch(match[1]):
        return set(), [f"task {task.number} does not end in _Requirements: N.M_"]
    named = match[1].split(", ")
    found += _unknown(f"task {task.number}", named, known)
    proofs = {
        proof[1]: re.findall(r"`([^`]+)`", proof[2]) for one in task.below[:-1] if (proof := PROOF.fullmatch(one))
    }
    found += [f"task {task.number} proves {one} and does not name it" for one in proofs if one not in named]
    if task.done:
        found += [f"task {task.number} is done, and names no test for {one}" for one in named if one not in proofs]
    references = [reference for these in proofs.values() for reference in these]
    if task.done and not any(one.startswith("tests/") for one in references):
        found.append(f"task {task.number} is done, and names no file of tests")
    found += [f"task {task.number} names {fault}" for one in references if (fault := _missing(one, root))]
    return set(named), found


def _missing(reference: str, root: Path) -> str:
    """What is wrong with a reference to a test or a benchmark; empty if nothing is."""
    path, _, function = reference.partition("::")
    file = root / path
    if not path.startswith(("tests/", "benchmarks/")) or not file.is_file():
        return f"{path}, which is no file of tests or benchmarks"
    if path.startswith("benchmarks/") and not function:
        return ""
    source = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return "" if function and function in source else f"{reference}, of which the file says nothing"
    if function not in {
        one.name for one in ast.parse(source).body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }:
        return f"{reference}, which is no function there"
    return ""


def _tasks(text: str) -> tuple[list[Task], list[str]]:
    """The tasks, and lines that are neither task nor detail."""
    tasks: list[Task] = []
    strange: list[str] = []
    for line in _joined(text):
        match = TASK.fullmatch(line)
        if match and not match[1] and not match[4]:
            tasks.append(Task(match[3], match[2] == "x"))
        elif match and match[1] and match[4] and tasks and match[3] == tasks[-1].number:
            tasks[-1].parts.append(Task(f"{match[3]}.{match[4]}", match[2] == "x"))
        elif tasks and line.startswith("    - " if tasks[-1].parts else "  - ") and "[" not in line[:8]:
            (tasks[-1].parts or tasks)[-1].below.append(line.strip().removeprefix("- "))
        elif line.strip() and not line.startswith("# "):
            strange.append(line)
    return tasks, strange


def _joined(text: str) -> Iterator[str]:
    """Lines, those of a bullet that goes on put together."""
    line = ""
    for one in text.splitlines():
        if line and re.match(r" +[^ -]", one):
            line += f" {one.strip()}"
        else:
            yield line
            line = one
    yield line


def _numbered(text: str, kind: str) -> Iterator[tuple[int, str, str]]:
    """Number, title and body of each heading of a kind."""
    parts = re.split(rf"^### {kind} (\d+): *(.*)$", text, flags=re.MULTILINE)
    for number, title, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        yield int(number), title.strip(), re.split(r"^##? ", body, maxsplit=1, flags=re.MULTILINE)[0]


def _listed(body: str) -> list[tuple[int, str]]:
    """A numbered list, each entry on one line."""
    entries = re.findall(r"^(\d+)\. (.*(?:\n +\S.*)*)", body, re.MULTILINE)
    return [(int(number), _line(text)) for number, text in entries]


def _section(text: str, name: str) -> str:
    match = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def _line(text: str) -> str:
    return " ".join(text.split())


def _gaps(what: str, numbers: Sequence[int], least: int = 1) -> Iterator[str]:
    if list(numbers) != list(range(1, len(numbers) + 1)):
        yield f"the numbers of each {what} are not 1, 2, 3 ...: {', '.join(map(str, numbers))}"
    elif len(numbers) < least:
        yield f"there is no {what}"


def _unknown(who: str, numbers: Sequence[str], known: dict[str, str]) -> list[str]:
    unknown = [one for one in numbers if one not in known]
    twice = _repeated(numbers)
    return [f"{who} names {one}, which is no criterion" for one in unknown] + [
        f"{who} names {one} twice" for one in twice
    ]


def _repeated(these: Sequence[str]) -> list[str]:
    return sorted({one for one in these if these.count(one) > 1})
