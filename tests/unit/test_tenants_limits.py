"""The file of limits: what it says is what holds, and what it cannot say is refused by name."""

import logging
import math
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from loopback import wall_clock
from tenants import until

from emotional_ai_service.settings import LimitSettings
from emotional_ai_service.tenants.errors import LimitsUnusable
from emotional_ai_service.tenants.limits import FREE, Limits, read_limits
from emotional_ai_service.tenants.meters import metering

SOON = 0.01


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "limits.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_a_tenant_has_the_limits_of_all_but_for_those_of_its_own(write: Callable[[str], Path]) -> None:
    table = read_limits(
        write("""
            [default]
            calls_per_second = 2.5
            sessions = 10
            training_jobs_per_day = 0
            [tenants.acme]
            calls_burst = 9
            sessions = "unlimited"
            [tenants.default]
            concurrent_replies = 1
        """)
    )
    everybody = Limits(calls_per_second=2.5, calls_burst=2.5, sessions=10, training_jobs_per_day=0)
    assert table.of("zeta") == everybody
    own = Limits(calls_per_second=2.5, calls_burst=9, sessions=math.inf, training_jobs_per_day=0)
    assert table.of("acme") == own
    assert table.of("default").concurrent_replies == 1
    assert table.of("default").sessions == 10


def test_one_tenant_may_call_as_often_as_it_likes(write: Callable[[str], Path]) -> None:
    for burst in ("", 'calls_burst = "unlimited"'):
        table = read_limits(
            write(f'[default]\ncalls_per_second = 2\n[tenants.acme]\ncalls_per_second = "unlimited"\n{burst}')
        )
        assert (table.of("acme").calls_per_second, table.of("acme").calls_burst) == (math.inf, math.inf)
        assert table.of("zeta").calls_burst == 2
    assert read_limits(write('[default]\ncalls_per_second = "unlimited"')).default == FREE


def test_an_empty_file_limits_nobody(write: Callable[[str], Path]) -> None:
    assert read_limits(write("")).of("acme") == FREE


def test_a_slow_rate_lets_one_call_through_at_once(write: Callable[[str], Path]) -> None:
    assert read_limits(write("[default]\ncalls_per_second = 0.1")).of("acme").calls_burst == 1


@pytest.mark.parametrize("name", [one.name for one in fields(Limits)])
def test_every_limit_can_be_set_for_all_and_for_one(write: Callable[[str], Path], name: str) -> None:
    rate = "calls_per_second = 5\n" if name == "calls_burst" else ""
    table = read_limits(write(f"[default]\n{rate}{name} = 7\n[tenants.acme]\n{name} = 8"))
    assert (getattr(table.of("zeta"), name), getattr(table.of("acme"), name)) == (7, 8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[default", "is not TOML"),
        ("[defaults]\nsessions = 1", "has unknown keys defaults; there are default, tenants"),
        (
            "[default]\nsession = 1",
            "default has unknown keys session; there are calls_per_second, .*training_jobs_per_day",
        ),
        ("[tenants.acme]\nspeed = 1", r"tenants\.acme has unknown keys speed"),
        ("[tenants.Acme]\nsessions = 1", "a tenant is named by"),
        ("[tenants]\nacme = 1", r"tenants\.acme must be a table, is 1"),
        ("default = 1", "default must be a table"),
        ("[default]\nsessions = -1", r'default\.sessions must be a whole number from 0 on, or "unlimited", is -1'),
        ("[default]\nsessions = 1.5", "must be a whole number"),
        ("[default]\nsessions = true", "must be a whole number"),
        ("[default]\nsessions = 'many'", "must be a whole number"),
        ("[default]\ncalls_per_second = 0", "must be a number above 0"),
        ("[default]\ncalls_per_second = nan", "must be a number above 0"),
        ("[default]\ncalls_per_second = inf", "must be a number above 0"),
        ("[default]\ngeneration_tokens_per_minute = 0", "must be a whole number above 0"),
        ("[default]\ncalls_burst = 0", "must be a whole number from 1 on"),
        ("[tenants.acme]\ncalls_burst = 9", "tenants.acme.calls_burst needs a calls_per_second beside it"),
    ],
)
def test_what_a_file_cannot_say_is_refused_by_name(write: Callable[[str], Path], text: str, words: str) -> None:
    path = write(text)
    with pytest.raises(LimitsUnusable, match=words) as refused:
        read_limits(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "is not UTF-8 text"), (b"\x00", "is not TOML"), (b"a = " + b"[" * 5_000, "is not TOML")],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "limits.toml").write_bytes(content)
    with pytest.raises(LimitsUnusable, match=words):
        read_limits(tmp_path / "limits.toml")


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(LimitsUnusable, match=r"limits\.toml: cannot be read"):
        read_limits(tmp_path / "limits.toml")


async def test_a_file_that_changes_holds_from_then_on_and_a_damaged_one_leaves_the_last(
    write: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write("[default]\nsessions = 1")
    settings = LimitSettings(path, tmp_path / "usage.json", reread_seconds=SOON)
    caplog.set_level(logging.INFO)
    async with metering(settings, wall_clock) as meters:
        meter = meters.of("acme")
        assert meters.sessions("acme") == meter.limits.sessions == 1
        write("[default]\nsessions = 22")
        await until(lambda: meters.sessions("acme") == 22)
        assert meter.limits.sessions == 22
        write("[default]\nsesions = 333")
        await until(lambda: "unknown keys sesions" in caplog.text)
        assert "what was read before stays in force" in caplog.text
        assert meters.sessions("acme") == 22
        os.rename(path, tmp_path / "elsewhere.toml")
        write("[tenants.acme]\nsessions = 4444")
        await until(lambda: meters.sessions("acme") == 4444)


async def test_a_service_does_not_start_with_limits_it_cannot_read(
    write: Callable[[str], Path], tmp_path: Path
) -> None:
    settings = LimitSettings(write("[default]\nsessions = -1"), tmp_path / "usage.json")
    with pytest.raises(LimitsUnusable):
        async with metering(settings, wall_clock):
            pass
