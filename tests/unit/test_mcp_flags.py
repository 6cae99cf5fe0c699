"""Flags of the bridge: what they come to, and what is said of those that cannot be."""

import os
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import PATIENCE, service

import emotional_ai
from emotional_ai import Client, EmotionalAIError
from emotional_ai.mcp_bridge.__main__ import main

IDS = ("ada", "A", "9", "a.b_c:d-e", "x" * 128, "", "x" * 129, "a b", "-a", ".a", "a/b", "ä", "a\n")
"""Session ids, right and wrong."""


def refused(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The sentence flags are refused with, in the last line."""
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    output, complaints = capsys.readouterr()
    assert output == ""
    return complaints.splitlines()[-1].partition(": error: ")[2]


def ran(*flags: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "emotional_ai.mcp_bridge", *flags],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | environment,
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [("emotions", "emotions"), ("emotion,sing,dance", "dance, sing"), ("", "nothing"), (" , ", "nothing")],
)
def test_an_unknown_toolset_is_named_with_those_there_are(
    capsys: pytest.CaptureFixture[str], given: str, named: str
) -> None:
    told = refused(capsys, "--toolsets", given)
    assert told == (
        f"argument --toolsets: {named} is no toolset; there are emotion, inference, training, separated by commas"
    )


@pytest.mark.parametrize("given", ["65536", "-1", "http", "80.5", "", "\u0663"])
def test_a_port_that_is_none_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str], given: str) -> None:
    assert refused(capsys, f"--http={given}") == f"argument --http: a port is a number in 0..65535, got {given!r}"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as address, Client(address) as client:
        yield client


@pytest.mark.parametrize("session_id", IDS, ids=lambda one: ascii(one[:20]))
def test_a_session_is_refused_by_the_flag_where_the_service_would_refuse_it(
    capsys: pytest.CaptureFixture[str], client: Client, session_id: str
) -> None:
    try:
        # An empty id is one the service chooses itself.
        served = bool(session_id) and client.create_session(session_id).session_id == session_id
    except EmotionalAIError:
        served = False
    if served:
        main_takes(session_id, capsys)
    else:
        told = refused(capsys, f"--session={session_id}")
        assert told.startswith("argument --session: a session id has 1..128 characters of letters, digits, ")
        assert told.endswith(f"({len(session_id)} characters)")


def main_takes(session_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether the flag is taken, seen by what is refused after it."""
    assert refused(capsys, f"--session={session_id}", "--http=no").startswith("argument --http: ")


def test_a_flag_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--sing") == "unrecognized arguments: --sing"


@pytest.mark.parametrize("given", ["127.0.0.1", "h:0", "http://h:1", "h:1/", ":1", "h:65536", ""])
@pytest.mark.parametrize("flags", [(), ("--autostart",)])
def test_a_service_that_cannot_be_reached_by_its_name_is_refused(
    capsys: pytest.CaptureFixture[str], given: str, flags: tuple[str, ...]
) -> None:
    assert refused(capsys, f"--target={given}", *flags) == (
        f"argument --target: a service is named as HOST:PORT, such as 127.0.0.1:50051, the port in 1..65535; got {given!r}"
    )


def test_the_environment_names_the_service_where_no_flag_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTIONAL_AI_TARGET", "h:0")
    assert refused(capsys).endswith("got 'h:0'")
    # A flag goes before it, as the refusal of the next one shows.
    assert refused(capsys, "--target=h:1", "--http=no").startswith("argument --http: ")


def test_a_flag_is_written_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--read") == "unrecognized arguments: --read"


@pytest.mark.parametrize("target", ["example.com:50051", "192.168.0.1:50051", "0.0.0.0:50051"])
def test_a_service_elsewhere_cannot_be_started(target: str) -> None:
    ended = ran("--autostart", "--target", target)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"--autostart starts a service on this machine only: --target must be 127.0.0.1:PORT, got {target!r}\n"
    )


def test_without_its_extra_the_bridge_says_how_it_is_installed(tmp_path: Path) -> None:
    for folder in map(Path, site.getsitepackages()):
        for one in folder.iterdir():
            if not one.name.startswith(("mcp", "_")) and one.suffix != ".pth":
                (tmp_path / one.name).symlink_to(one)
    sdk = Path(emotional_ai.__file__).parents[1]
    ended = subprocess.run(
        [sys.executable, "-S", "-m", "emotional_ai.mcp_bridge"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": f"{sdk}{os.pathsep}{tmp_path}"},
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "the bridge needs the MCP SDK; install it with: pip install 'emotional-ai[mcp]'\n"


def test_a_fault_of_the_bridge_is_not_told_as_a_wrong_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise ValueError("a fault of its own")

    monkeypatch.setattr(f"{main.__module__}._over_stdio", broken)
    with pytest.raises(ValueError, match="a fault of its own"):
        main([])


def test_a_bridge_whose_client_has_left_already_ends_well() -> None:
    ended = ran()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
