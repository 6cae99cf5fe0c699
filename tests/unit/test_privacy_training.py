"""Training rows are made of data sets alone: nothing that trains can reach a session of a service."""

import ast
from pathlib import Path

import emotional_ai_training

TRAINING = Path(emotional_ai_training.__file__).parent
MEASURES = {"steering", "cli"}
"""Parts that measure a running service, in sessions they make themselves, or tell its errors."""


def imported(file: Path) -> set[str]:
    """Every module a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_nothing_that_trains_knows_the_service_or_its_clients() -> None:
    reaching = {
        file.relative_to(TRAINING).parts[0]
        for file in TRAINING.rglob("*.py")
        for module in imported(file)
        if module.split(".")[0] in ("emotional_ai", "emotional_ai_service")
    }
    assert reaching <= MEASURES
    assert "steering" in reaching  # what is looked for would be found
