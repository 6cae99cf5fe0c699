"""The specifications have Kiro's form, and every criterion is traced to a task and the tests that prove it."""

from pathlib import Path

import pytest
from specifications import FILES, criteria, faults

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
FOR_KIRO = ROOT / ".kiro" / "specs"
FEATURES = sorted(page.parent.name for page in SPECS.glob("*/requirements.md"))

REQUIREMENTS = """# Requirements: a lamp

## Introduction

A lamp that can be lit.

## Glossary

- **Lamp**: what gives light.
- **Hand lamp**: a Lamp that is carried,
  with a switch of its own.

## Requirements

### Requirement 1: light

**User Story:** As a reader, I want light, so that
I can read.

#### Acceptance Criteria

1. WHEN the switch is pressed, THE Lamp SHALL give light
   within a second.
2. THE Lamp SHALL stay cool.

### Requirement 2: a hand lamp

**User Story:** As a walker, I want a lamp in my hand, so that I see the way.

#### Acceptance Criteria

1. WHERE there is a battery, WHILE it is dark, WHEN a step is heard, THE Hand lamp SHALL glow.
2. IF the battery is empty, THEN THE Hand lamp SHALL say so.
"""
DESIGN = """# Design: a lamp

## Overview

## Architecture

## Components and Interfaces

## Decisions

## Data Models

## Correctness Properties

### Property 1: Light

For any switch, light.

**Validates: Requirements 1.1, 2.1**

### Property 2: Cool

**Validates: Requirements 1.2**

## Error Handling

## Testing Strategy
"""
TASKS = """# Tasks: a lamp

- [ ] 1. Lamps
  - [x] 1.1 A lamp
    - It glows by a wire, which
      is thin.
    - 1.1: `tests/unit/test_lamp.py::test_a_lamp_is_lit`
    - 1.2: `tests/unit/test_lamp.py::test_a_lamp_stays_cool`,
      `benchmarks/heat.py`
    - _Requirements: 1.1, 1.2_
  - [ ] 1.2 A hand lamp
    - _Requirements: 2.1_
- [x] 2. A battery
  - 2.2: `tests/unit/test_lamp.py::test_an_empty_battery_is_told`
  - _Requirements: 2.2_
"""
TESTS = """def test_a_lamp_is_lit(): ...
async def test_a_lamp_stays_cool(): ...
def test_an_empty_battery_is_told():
    def inner(): ...
"""

FORM = "is not of the form [WHERE ...,] [WHILE ...,] [WHEN ..., | IF ..., THEN] THE <Name> SHALL ..."
STORY = "has no user story of the form **User Story:** As a ..., I want ..., so that ..."
SECTIONS = "its sections are not, in this order, Overview, Architecture, Components and Interfaces, Data Models"


def test_every_feature_is_linked_where_kiro_looks() -> None:
    assert sorted(link.name for link in FOR_KIRO.iterdir()) == FEATURES
    for name in FEATURES:
        link = FOR_KIRO / name
        assert link.readlink() == Path("../../specs") / name, f"{link} is no relative link to specs/{name}"
        for file in FILES:
            assert (link / file).is_file(), f"{link} leads to no {file}"


@pytest.mark.parametrize("feature", FEATURES)
def test_a_specification_has_kiros_form_and_is_traced_to_its_tests(feature: str) -> None:
    assert faults(SPECS / feature, ROOT) == []


def written(root: Path, requirements: str = REQUIREMENTS, design: str = DESIGN, tasks: str = TASKS) -> Path:
    """A specification below `root`, with the tests it names."""
    folder = root / "specs" / "lamp"
    for path in (folder, root / "tests" / "unit", root / "tests" / "clients", root / "benchmarks"):
        path.mkdir(parents=True)
    (root / "tests" / "clients" / "lamp.mjs").write_text("it is lit\n", encoding="utf-8")
    (root / "tests" / "unit" / "test_lamp.py").write_text(TESTS, encoding="utf-8")
    (root / "benchmarks" / "heat.py").touch()
    for name, text in zip(FILES, (requirements, design, tasks), strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)


def test_a_right_specification_has_no_fault(tmp_path: Path) -> None:
    assert faults(written(tmp_path), tmp_path) == []


def test_criteria_are_read_with_the_lines_they_go_on_in() -> None:
    assert criteria(REQUIREMENTS) == {
        "1.1": "WHEN the switch is pressed, THE Lamp SHALL give light within a second.",
        "1.2": "THE Lamp SHALL stay cool.",
        "2.1": "WHERE there is a battery, WHILE it is dark, WHEN a step is heard, THE Hand lamp SHALL glow.",
        "2.2": "IF the battery is empty, THEN THE Hand lamp SHALL say so.",
    }


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("# Requirements: a lamp", "# Wishes", "does not begin with # Requirements"),
        ("## Glossary\n", "## Words\n", "its sections are not Introduction, Glossary and Requirements"),
        ("## Requirements\n\n### R", "### R", "its sections are not Introduction, Glossary and Requirements"),
        ("\n- **Hand lamp**", "\n- **Lamp**: again.\n- **Hand lamp**", "Lamp is twice in the glossary"),
        ("\n- **Hand lamp**", "\n- **Wick**: burns.\n- **Hand lamp**", "Wick is in the glossary and in no requirement"),
        ("### Requirement 2:", "### Requirement 3:", "the numbers of each requirement are not 1, 2, 3 ...: 1, 3"),
        ("### Requirement 1: light", "### Requirement 1:", "requirement 1 has no title"),
        ("**User Story:** As a reader", "**User story:** As a reader", f"requirement 1 {STORY}"),
        (", so that\nI can read.", ".", f"requirement 1 {STORY}"),
        ("As a walker, I want", "I want", f"requirement 2 {STORY}"),
        ("2. THE Lamp", "3. THE Lamp", "the numbers of each criterion of requirement 1 are not 1, 2, 3 ...: 1, 3"),
        ("THE Lamp SHALL stay cool.", "THE Lamp stays cool.", "1.2 does not say once what SHALL be, in a sentence"),
        ("stay cool.", "stay cool and SHALL last.", "1.2 does not say once what SHALL be, in a sentence"),
        ("stay cool.", "stay cool", "1.2 does not say once what SHALL be, in a sentence"),
        ("2. THE Lamp SHALL", "2. Lamps SHALL", f"1.2 {FORM}"),
        ("2. THE Lamp", "2. Always THE Lamp", f"1.2 {FORM}"),
        ("1. WHEN the switch is pressed, THE", "1. WHEN the switch is pressed THE", f"1.1 {FORM}"),
        ("WHEN the switch is pressed, THE", "WHEN the switch is pressed, THEN THE", f"1.1 {FORM}"),
        ("is empty, THEN THE", "is empty, THE", f"2.2 {FORM}"),
        ("WHERE there is a battery, WHILE it", "WHILE there is a battery, WHERE it", f"2.1 {FORM}"),
        ("2. THE Lamp", "2. THE Bulb", "1.2 says what 'Bulb' shall do, which is not in the glossary"),
        ("2. THE Lamp", "2. THE lamp", "1.2 says what 'lamp' shall do, which is not in the glossary"),
    ],
)
def test_a_fault_in_requirements_is_found(tmp_path: Path, old: str, new: str, fault: str) -> None:
    folder = written(tmp_path, requirements=changed(REQUIREMENTS, old, new))
    assert f"requirements.md: {fault}" in faults(folder, tmp_path)


def test_criteria_without_their_heading_are_found(tmp_path: Path) -> None:
    folder = written(tmp_path, requirements=REQUIREMENTS.replace("#### Acceptance Criteria\n\n", "", 1))
    found = faults(folder, tmp_path)
    assert "requirements.md: requirement 1 has no #### Acceptance Criteria" in found


def test_a_requirement_without_criteria_is_found(tmp_path: Path) -> None:
    kept, *_ = REQUIREMENTS.rpartition("1. WHERE")
    found = faults(written(tmp_path, requirements=kept), tmp_path)
    assert "requirements.md: there is no criterion of requirement 2" in found
    assert "tasks.md: task 2 names 2.2, which is no criterion" in found
    assert "design.md: property 1 names 2.1, which is no criterion" in found


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("## Overview\n", "", SECTIONS),
        ("## Error Handling\n\n## Testing Strategy\n", "## Testing Strategy\n\n## Error Handling\n", SECTIONS),
        ("### Property 2:", "### Property 3:", "the numbers of each property are not 1, 2, 3 ...: 1, 3"),
        ("Requirements 1.2**", "Requirements 1.3**", "property 2 names 1.3, which is no criterion"),
        ("Requirements 1.1, 2.1**", "Requirements 1.1, 1.1**", "property 1 names 1.1 twice"),
        ("**Validates: Requirements 1.2**", "Validates 1.2", "property 2 has no title, or no single line **Validates:"),
        ("Requirements 1.1, 2.1**", "Requirements 1.1 and 2.1**", "property 1 has no title, or no single line **Valid"),
    ],
)
def test_a_fault_in_a_design_is_found(tmp_path: Path, old: str, new: str, fault: str) -> None:
    found = faults(written(tmp_path, design=changed(DESIGN, old, new)), tmp_path)
    assert [one for one in found if one.startswith(f"design.md: {fault}")], found


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("- [ ] 1. Lamps", "- [x] 1. Lamps", "task 1 is done and its parts are not"),
        ("  - [ ] 1.2 A hand lamp\n    - _Requirements: 2.1_\n", "", "task 1 is open and its parts are not"),
        ("_Requirements: 2.2_", "_Requirements: 2.2, 2.2_", "task 2 names 2.2 twice"),
        ("  - [ ] 1.2 A", "  - [ ] 1.3 A", "the numbers of each part of task 1 are not 1, 2, 3 ...: 1, 3"),
        ("- [x] 2. A", "- [x] 3. A", "the numbers of each task are not 1, 2, 3 ...: 1, 3"),
        ("  - [ ] 1.2 A", "  - [?] 1.2 A", "is no task and no detail of one: '  - [?] 1.2 A hand lamp'"),
        ("  - [ ] 1.2 A", "  - [ ] 2.2 A", "is no task and no detail of one: '  - [ ] 2.2 A hand lamp'"),
        ("_Requirements: 2.1_", "_Requirements: 2.7_", "task 1.2 names 2.7, which is no criterion"),
        ("_Requirements: 2.1_", "_Requirements: 2.7_", "no task names criterion 2.1"),
        ("    - _Requirements: 2.1_\n", "", "task 1.2 does not end in _Requirements: N.M_"),
        ("_Requirements: 1.1, 1.2_", "_Requirements: 1.1 1.2_", "task 1.1 does not end in _Requirements: N.M_"),
        ("_Requirements: 1.1, 1.2_", "_Requirements: 1.1_", "task 1.1 proves 1.2 and does not name it"),
        ("  - [ ] 1.2 A", "  - [x] 1.2 A", "task 1.2 is done, and names no test for 2.1"),
        ("    - 1.1: ", "    - by ", "task 1.1 is done, and names no test for 1.1"),
        (
            "`tests/unit/test_lamp.py::test_an_empty_battery_is_told`",
            "`benchmarks/heat.py`",
            "task 2 is done, and names no file of tests",
        ),
        (
            "test_lamp.py::test_a_lamp_is_lit",
            "test_light.py::test_a_lamp_is_lit",
            "task 1.1 names tests/unit/test_light.py, which is no file of tests or benchmarks",
        ),
        (
            "::test_a_lamp_is_lit",
            "::test_a_lamp_is_dark",
            "task 1.1 names tests/unit/test_lamp.py::test_a_lamp_is_dark, which is no function there",
        ),
        (
            "::test_an_empty_battery_is_told",
            "::inner",
            "task 2 names tests/unit/test_lamp.py::inner, which is no function there",
        ),
        (
            "`tests/unit/test_lamp.py::test_a_lamp_is_lit`",
            "`tests/clients/lamp.mjs::glows`",
            "task 1.1 names tests/clients/lamp.mjs::glows, of which the file says nothing",
        ),
        (
            "::test_a_lamp_is_lit",
            "",
            "task 1.1 names tests/unit/test_lamp.py, which is no function there",
        ),
    ],
)
def test_a_fault_in_tasks_is_found(tmp_path: Path, old: str, new: str, fault: str) -> None:
    folder = written(tmp_path, tasks=changed(TASKS, old, new))
    assert f"tasks.md: {fault}" in faults(folder, tmp_path)
