"""The dashboard of Grafana: every number it asks for is told by a running service, and its parts are where they must be."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
from loopback import hosted
from observed_service import ANY_PORT, speaking_settings
from observing import read_families

BOARD: Final = Path(__file__).parent.parent.parent / "deploy" / "grafana" / "emotional-ai.json"
NAME: Final = re.compile(r"\b(?:emotional_ai|process)_[a-z_]+\b")
ENDINGS: Final = {
    "histogram": ("_bucket", "_count", "_sum"),
    "counter": ("_total",),
    "gauge": ("",),
}


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BOARD.read_text(encoding="utf-8"))
    return found


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels(board):
        yield from (target["expr"] for target in panel["targets"])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of every series that a service with language tells, or will once there is something to tell."""
    with hosted(speaking_settings(tmp_path_factory.mktemp("dashboard"), ANY_PORT)) as served:
        return {family.name + ending for family in read_families(served.metrics) for ending in ENDINGS[family.type]}


def test_every_number_the_dashboard_names_is_told_by_a_service(board: dict[str, Any], told: set[str]) -> None:
    named = {name for expression in expressions(board) for name in NAME.findall(expression)}
    named |= {name for one in board["templating"]["list"] for name in NAME.findall(str(one["query"]))}
    assert len(named) > 25
    assert named - told == set()


def test_every_number_of_the_service_itself_has_its_place_on_the_dashboard(
    board: dict[str, Any], told: set[str]
) -> None:
    text = " ".join(expressions(board))
    families = {
        name.removesuffix("_bucket").removesuffix("_total") for name in told if not name.endswith(("_sum", "_count"))
    }
    ours = {name for name in families if name.startswith("emotional_ai_") and "_process_" not in name}
    assert {name for name in ours if name not in text} == set()


def test_every_panel_says_what_it_shows_and_in_what_unit(board: dict[str, Any]) -> None:
    for panel in panels(board):
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["type"] in ("timeseries", "stat"), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0, panel["title"]


def test_panels_are_told_apart_and_none_covers_another(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for one, other in combinations((panel["gridPos"] for panel in board["panels"]), 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(
        panel["gridPos"]["x"] >= 0 and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"]
    )


def test_expressions_are_balanced_and_ask_only_the_chosen_replicas(board: dict[str, Any]) -> None:
    for expression in expressions(board):
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression
        assert len(NAME.findall(expression)) == expression.count('job=~"$job",instance=~"$instance"'), expression


def test_the_dashboard_can_be_brought_into_any_grafana(board: dict[str, Any]) -> None:
    assert board["uid"] == "emotional-ai"
    assert board["schemaVersion"] >= 39
    assert "id" not in board
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    assert variables["datasource"]["query"] == "prometheus"
    used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(board))) - {"__all", "__rate_interval"}
    assert used == set(variables)
