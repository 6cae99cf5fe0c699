"""Flags about safety of use: rules that are built in, of a file, or none, and what is to be disclosed."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from emotional_ai_service.commands import app
from emotional_ai_service.flags.safety import SafetyFlags, safety_of
from emotional_ai_service.safeguard import Notice, built_in
from emotional_ai_service.settings import SafetySettings, Settings

RULE = '[[rule]]\nname = "{}"\nwords = ["storm"]\nintensity = 0\n'


def given(
    safeguard: Sequence[str] | None = None, disclosure: str | None = None, every: int | None = None
) -> SafetySettings:
    return safety_of(SafetyFlags(safeguard=safeguard, disclosure=disclosure, disclosure_every=every))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULE.format("storm"))
    return path


def test_without_flags_the_built_in_rules_watch_and_nothing_is_disclosed() -> None:
    assert given() == Settings().safety == SafetySettings(built_in(), Notice("", 10))


def test_rules_are_those_of_a_file_the_built_in_ones_both_or_none(file: Path) -> None:
    (storm,) = given([str(file)]).rules
    assert storm.name == "storm"
    assert given(["built-in", str(file)]).rules == (*built_in(), storm)
    assert given(["off"]).rules == ()


def test_a_disclosure_is_one_line_told_every_so_often() -> None:
    assert given(disclosure=" You talk\n to a program. ", every=3).notice == Notice("You talk to a program.", 3)


def test_what_cannot_be_is_refused_by_its_flag(file: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice.toml"
    twice.write_text(RULE.format("minors"))
    for safeguard, disclosure, every, told in (
        (["off", str(file)], None, None, "`off` stands alone"),
        ([str(tmp_path / "none.toml")], None, None, "cannot be read"),
        (["built-in", str(twice)], None, None, "two rules are called minors"),
        (None, " ", None, "1 to 1000 characters"),
        (None, "x" * 1001, None, "1 to 1000 characters"),
        (None, None, 3, "needs --disclosure"),
    ):
        with pytest.raises(typer.BadParameter, match=told):
            given(safeguard, disclosure, every)


def test_a_service_that_does_not_speak_has_no_use_for_them(file: Path) -> None:
    for flags in (["--safeguard", str(file)], ["--disclosure", "You talk to a program."], ["--disclosure-every", "2"]):
        ran = CliRunner().invoke(app, ["serve", "--engine-only", *flags])
        assert ran.exit_code == 2
        assert "a guard or a disclosure has no use" in " ".join(ran.stderr.replace("│", " ").split())


def test_rules_that_cannot_be_read_stop_the_service_before_it_starts(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["serve", "--safeguard", str(tmp_path / "none.toml"), "--store", "memory"])
    assert ran.exit_code == 2
    assert "cannot be read: No such file" in " ".join(ran.stderr.replace("│", " ").split())
