"""Where a shared store is, as the command line and the environment say it; and that no password is told."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from emotional_ai_service.flags.store import StoreFlags, store_of
from emotional_ai_service.settings import StoreKind, StoreSettings
from emotional_ai_service.stores import Durability, RedisAddress

SECRET = "s3cr3t/p@ss"
QUOTED = "s3cr3t%2Fp%40ss"


def settings(
    kind: StoreKind, url: str | None = None, *, volatile: bool = False, environ: dict[str, str] | None = None
) -> StoreSettings:
    flags = StoreFlags(redis_url=url, redis_volatile=volatile)
    return store_of(kind, flags, Path("sessions.db"), Durability.PROCESS, environ or {})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress("cache")),
        ("redis://cache:7000/3", RedisAddress("cache", 7000, 3)),
        (f"redis://:{QUOTED}@cache", RedisAddress("cache", password=SECRET)),
        (f"rediss://ann:{QUOTED}@[::1]:7000", RedisAddress("::1", 7000, 0, "ann", SECRET, tls=True)),
        ("rediss://cache?ca=/etc/ca.pem", RedisAddress("cache", tls=True, ca_file=Path("/etc/ca.pem"))),
        ("unix:///run/redis.sock?db=2", RedisAddress("localhost", database=2, socket=Path("/run/redis.sock"))),
    ],
)
def test_a_url_names_a_server_and_is_told_without_its_password(url: str, address: RedisAddress) -> None:
    parsed = RedisAddress.parse(url)
    assert parsed == address
    assert RedisAddress.parse(str(parsed)).host == parsed.host
    for told in (str(parsed), repr(parsed), repr(settings(StoreKind.REDIS, url))):
        assert SECRET not in told
        assert QUOTED not in told


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"http://ann:{QUOTED}@cache", "must begin with redis://"),
        (f"redis://ann:{QUOTED}@cache:70000", "port of 1 to 65535"),
        (f"redis://ann:{QUOTED}@", "names no host"),
        (f"redis://ann:{QUOTED}@cache/three", "number from 0 on"),
        (f"redis://ann:{QUOTED}@cache?timeout=3", "options other than"),
        ("redis://ann:s3cr3t/p@cache", "%2F"),
        ("redis://ann:1/s3cr3t@cache", "%2F"),
        ("redis://ann:1?s3cr3t=1@cache", "%2F"),
        ("unix://", "names no socket"),
        (f"ann:{QUOTED}@cache", "must begin with"),
    ],
)
def test_a_url_that_cannot_be_is_refused_with_what_is_wrong_and_without_its_password(url: str, words: str) -> None:
    with pytest.raises(typer.BadParameter, match=words) as caught:
        settings(StoreKind.REDIS, url)
    assert caught.value.param_hint == "--redis-url"
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(typer.BadParameter, match=words) as caught:
        settings(StoreKind.REDIS, environ={"EMOTIONAL_AI_REDIS_URL": url})
    assert caught.value.param_hint == "EMOTIONAL_AI_REDIS_URL"


def test_the_flag_comes_before_the_environment_and_this_machine_after_it() -> None:
    environ = {"EMOTIONAL_AI_REDIS_URL": "redis://one"}
    assert settings(StoreKind.REDIS, "redis://other", environ=environ).redis == RedisAddress("other")
    assert settings(StoreKind.REDIS, environ=environ).redis == RedisAddress("one")
    assert settings(StoreKind.REDIS).redis == RedisAddress("127.0.0.1")
    assert settings(StoreKind.REDIS, volatile=True).redis_volatile


@pytest.mark.parametrize("kind", [StoreKind.MEMORY, StoreKind.SQLITE])
def test_flags_of_a_store_that_was_not_chosen_are_refused_and_the_environment_is_not(kind: StoreKind) -> None:
    with pytest.raises(typer.BadParameter, match="--store redis"):
        settings(kind, "redis://one")
    with pytest.raises(typer.BadParameter, match="--store redis"):
        settings(kind, volatile=True)
    assert settings(kind, environ={"EMOTIONAL_AI_REDIS_URL": "redis://one"}).kind is kind


def test_without_the_extra_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotional_ai_service.flags.store.find_spec", lambda name: None)
    with pytest.raises(typer.BadParameter, match=r"pip install 'emotional-ai\[redis\]'"):
        settings(StoreKind.REDIS)


def test_a_service_whose_server_is_away_says_so_in_one_line_without_the_password(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emotional_ai", "serve", "--engine-only", "--port", "0", "--store", "redis"]
    environ = {"EMOTIONAL_AI_REDIS_URL": f"redis://ann:{QUOTED}@127.0.0.1:1", "HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("emotional-ai: redis://127.0.0.1:1/0 cannot be reached")
    assert done.stderr.count("\n") == 1
    assert "s3cr3t" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", [StoreKind.MEMORY, StoreKind.REDIS])
def test_durability_is_promised_by_the_store_that_keeps_it(kind: StoreKind) -> None:
    flags = StoreFlags(redis_url=None, redis_volatile=False)
    with pytest.raises(typer.BadParameter, match="power belongs to --store sqlite"):
        store_of(kind, flags, Path("db"), Durability.POWER, {})
    assert store_of(StoreKind.SQLITE, flags, Path("db"), Durability.POWER, {}).durability is Durability.POWER
