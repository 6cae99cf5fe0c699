"""What stands in deploy/: files read, and the parts of them that must fit the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
IMAGES = ("emotional-ai", "emotional-ai-language")


def objects(*paths: Path) -> list[Any]:
    """Every object of manifests."""
    return [one for path in paths or KUBERNETES for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def of_kind(*kinds: str) -> list[Any]:
    """Objects of these kinds."""
    return [one for one in objects() if one["kind"] in kinds]


def workloads() -> list[Any]:
    """What runs pods."""
    return of_kind("Deployment", "StatefulSet")


def pod(workload: Any) -> Any:
    """The specification of a workload's pods."""
    return workload["spec"]["template"]["spec"]


def container(workload: Any) -> Any:
    """Its one container."""
    (only,) = pod(workload)["containers"]
    return only


def compose() -> Any:
    """The compose file, what it merges in its place."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def ours() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Name, arguments and environment of whatever runs one of our images."""
    for name, service in compose()["services"].items():
        if service["image"] in IMAGES:
            yield f"compose {name}", service["command"], service["environment"]
    for workload in workloads():
        runs = container(workload)
        if runs["image"] in IMAGES:
            environment = {one["name"]: one.get("value", "") for one in runs["env"]}
            yield f"kubernetes {workload['metadata']['name']}", runs["args"], environment
