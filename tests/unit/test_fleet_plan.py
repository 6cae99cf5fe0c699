"""What processes `serve --workers N` consists of."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from emotional_ai.cli import app
from emotional_ai_service.flags.fleet import fleet_of
from emotional_ai_service.fleet import arguments, planned
from emotional_ai_service.fleet.plan import share
from emotional_ai_service.places import usage_file
from emotional_ai_service.settings import (
    LanguageSettings,
    LimitSettings,
    Settings,
    StoreKind,
    StoreSettings,
    VllmBackend,
)

SHARED = ("serve", "--workers", "2", "--store", "redis")
README = Path(__file__).parents[2] / "README.md"


def test_ports_count_up_and_each_counts_what_tenants_used_by_itself() -> None:
    plans = planned(
        ["--engine-only"], workers=3, port=7000, metrics="127.0.0.1:9464", usage="/var/usage", cpus=range(3)
    )
    assert [plan.port for plan in plans] == [7000, 7001, 7002]
    for index, plan in enumerate(plans):
        words = " ".join(plan.at(plan.port))
        assert (
            f"serve --engine-only --with-parent --metrics 127.0.0.1:{9464 + index} --usage /var/usage.{index}" in words
        )
        assert words.endswith(f"--port {7000 + index}")


def test_free_ports_stay_free_ones() -> None:
    plans = planned([], workers=2, port=0, metrics="[::1]:0", usage=None, cpus=[0])
    assert [plan.port for plan in plans] == [0, 0]
    assert all("[::1]:0" in plan.command and "--usage" not in plan.command for plan in plans)


def test_ports_that_do_not_exist_are_refused() -> None:
    assert planned([], workers=2, port=65534, metrics=None, usage=None, cpus=[0])[1].port == 65535
    with pytest.raises(ValueError, match="beyond 65535"):
        planned([], workers=2, port=65535, metrics=None, usage=None, cpus=[0])


@pytest.mark.parametrize(
    ("cpus", "workers", "shares"),
    [
        ([0, 1], 2, [{0}, {1}]),
        ([4, 5, 6, 7], 2, [{4, 6}, {5, 7}]),
        ([1, 2, 3], 2, [{1, 3}, {2}]),
        ([0, 1], 3, [{0}, {1}, {0}]),
        ([5], 2, [{5}, {5}]),
    ],
)
def test_processors_are_shared_evenly(cpus: list[int], workers: int, shares: list[set[int]]) -> None:
    assert [share(cpus, index, workers) for index in range(workers)] == shares


def test_flags_are_handed_on_as_they_were_given() -> None:
    made = typer.Typer()

    @made.command()
    def serve(
        port: int = 1, engine_only: bool = False, store: StoreKind = StoreKind.SQLITE, name: list[str] | None = None
    ) -> None: ...

    parameters = typer.main.get_command(made).params
    given = [("engine_only", True), ("store", StoreKind.REDIS), ("name", ["a", "b"]), ("port", 5)]
    assert arguments(parameters, given) == ["--engine-only", "--store", "redis", "--name", "a", "--name", "b"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("serve", "--workers", "2", "--engine-only"), "emotional-ai serve --workers 2 --store redis"),
        (("serve", "--workers", "2", "--store", "memory", "--engine-only"), "share their sessions in Redis"),
        ((*SHARED, "--engine-only", "--port", "65535"), "beyond 65535"),
        (("serve", "--workers", "0"), "greater than or equal to 1"),
    ],
)
def test_what_several_workers_cannot_have_is_refused_with_what_they_can(flags: tuple[str, ...], told: str) -> None:
    ran = CliRunner().invoke(app, flags)
    assert ran.exit_code == 2
    assert told in " ".join(ran.stderr.split())


def test_several_workers_load_no_model_each_and_are_told_what_to_start_instead(tmp_path: Path) -> None:
    language = LanguageSettings(tmp_path, tmp_path, tmp_path)
    settings = Settings(store=StoreSettings(StoreKind.REDIS), language=language)
    shared = replace(language, backend=VllmBackend("http://127.0.0.1:8000", "model", tmp_path))
    context = typer.Context(typer.main.get_command(app))
    with pytest.raises(typer.BadParameter, match=r"would load 2 models.*--engine-only.*--backend vllm"):
        fleet_of(2, settings, context)
    assert fleet_of(1, settings, context) == []
    assert len(fleet_of(2, replace(settings, language=shared), context)) == 2


@pytest.mark.parametrize("given", [("--port", "0"), ("--db", "sessions.db")])
def test_workers_count_what_tenants_used_in_files_of_their_own_where_none_was_named(given: tuple[str, ...]) -> None:
    root = typer.main.get_command(app)
    serve = root.get_command(typer.Context(root), "serve")  # type: ignore[attr-defined]  # it is a group
    context = serve.make_context("serve", [*SHARED[1:], "--engine-only", "--limits", "limits.toml", *given])
    limits = LimitSettings(Path("limits.toml"), usage_file(context.params["db"], context.params["port"]))
    settings = Settings(store=StoreSettings(StoreKind.REDIS), port=context.params["port"], limits=limits)
    plans = fleet_of(2, settings, context)
    used = [plan.command[plan.command.index("--usage") + 1] for plan in plans]
    assert used == [f"{limits.usage}.0", f"{limits.usage}.1"]


def test_workers_read_the_flags_the_readme_starts_many_users_with_as_they_were_given(tmp_path: Path) -> None:
    root = typer.main.get_command(app)
    serve = root.get_command(typer.Context(root), "serve")  # type: ignore[attr-defined]  # it is a group
    written = re.search(r"emotional-ai serve (.*--workers.*)", README.read_text(encoding="utf-8").replace("\\\n", ""))
    assert written is not None
    context = serve.make_context("serve", shlex.split(written[1]))
    given = context.params
    language = None if given["engine_only"] else LanguageSettings(tmp_path, tmp_path, tmp_path)
    settings = Settings(store=StoreSettings(given["store"]), language=language)
    plans = fleet_of(given["workers"], settings, context)
    assert len(plans) == given["workers"]
    own = ("workers", "port", "usage", "with_parent", "metrics")
    for plan in plans:
        read = serve.make_context("serve", list(plan.at(plan.port)[4:])).params
        assert {name: read[name] for name in given if name not in own} == {
            name: given[name] for name in given if name not in own
        }
