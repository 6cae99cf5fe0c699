"""What each package says it offers, read without importing it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    path
    for top in ("sdk", "service", "training")
    for path in (ROOT / top).rglob("__init__.py")
    if "__all__" in path.read_text()
)


def bound(statement: ast.stmt) -> set[str]:
    """The names a statement of a module binds."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return {one.asname or one.name for one in statement.names}
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Assign() | ast.AnnAssign():
            return {name.id for name in ast.walk(statement) if isinstance(name, ast.Name)}
        case _:
            return set()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_the_public_names_exist(package: Path) -> None:
    statements = ast.parse(package.read_text()).body
    there = set().union(*map(bound, statements))
    (named,) = (one.value for one in statements if isinstance(one, ast.Assign) and "__all__" in bound(one))
    assert set(ast.literal_eval(named)) <= there
