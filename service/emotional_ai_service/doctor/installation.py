"""Python, and the packages that each extra of the distribution needs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import Requirement

from emotional_ai_service.doctor.finding import Finding, ok, warn, wrong

DISTRIBUTION: Final = "emotional-ai"
OLDEST: Final = (3, 11)
FOR_SPEAKING: Final = "local"
FOR_ENGINE: Final = "service"
OTHERS: Final = ("training", "mcp", "web", "observability", "redis", "vllm", "tinker")
"""Extras that are there for more."""
Versions = Callable[[str], str]


def python(running: tuple[int, int, int] | None = None) -> Iterator[Finding]:
    """Whether Python is one the service runs on; `running` is this one if it is not given."""
    number = sys.version_info[:3] if running is None else running
    said = f"Python {'.'.join(map(str, number))}"
    if number[:2] < OLDEST:
        yield wrong("python", f"{said} is older than 3.11", "make an environment with Python 3.11 or newer")
    else:
        yield ok("python", said)


def packages(
    *, engine_only: bool, versions: Versions = version, told: Sequence[str] | None = None
) -> Iterator[Finding]:
    """Whether what the service needs is there, and what the other extras lack."""
    stated = told if told is not None else requires(DISTRIBUTION) or ()
    needed = FOR_ENGINE if engine_only else FOR_SPEAKING
    for extra in (needed, *OTHERS):
        wanted = _of_extra(extra, stated)
        if not wanted:
            continue
        lacking = [problem for one in wanted if (problem := _problem(one, versions))]
        subject = f"packages [{extra}]"
        install = f"pip install 'emotional-ai[{extra}]'"
        absent = sum(problem.endswith("is missing") for problem in lacking)
        if not lacking:
            yield ok(subject, f"{len(wanted)} there")
        elif extra == needed:
            yield wrong(subject, "; ".join(lacking), install)
        elif absent == len(lacking):
            yield ok(subject, f"not installed ({'; '.join(lacking)}); {install}")
        else:
            yield warn(subject, "; ".join(lacking), install)


def _of_extra(extra: str, stated: Sequence[str]) -> list[Requirement]:
    """Requirements of an extra and of the extras it brings, each package once."""
    found: dict[str, Requirement] = {}
    waiting, known = [extra], {extra}
    while waiting:
        current = waiting.pop()
        for one in map(Requirement, stated):
            if one.marker is None or not one.marker.evaluate({"extra": current}):
                continue
            if one.marker.evaluate({"extra": ""}):
                continue
            if one.name == DISTRIBUTION:
                waiting += sorted(one.extras - known)
                known |= one.extras
            else:
                found.setdefault(one.name, one)
    return list(found.values())


def _problem(wanted: Requirement, versions: Versions) -> str:
    try:
        there = versions(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is missing"
    if not wanted.specifier.contains(there, prereleases=True):
        return f"{wanted.name} {there} is not {wanted.specifier}"
    return ""
