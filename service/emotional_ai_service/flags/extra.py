"""Packages of an extra of the distribution that a flag asks for."""

from collections.abc import Callable

import typer


def check_installed(flag: str, package: str, extra: str, there: Callable[[str], object]) -> None:
    """Raises BadParameter with the command that installs the extra where `there`, as find_spec does, finds no such package."""
    try:
        found = there(package)
    except ModuleNotFoundError:  # of a package above it
        found = None
    if found is None:
        problem = f"needs the package {package}, which is not there; pip install 'emotional-ai[{extra}]'"
        raise typer.BadParameter(problem, param_hint=flag)
