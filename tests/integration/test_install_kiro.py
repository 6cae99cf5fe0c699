"""`install-kiro` with the bridge as it is: what it writes works in Kiro, and it says so step by step."""

import json
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, Ran
from kiro_probing import faulty, gone
from loopback import PATIENCE, service

from emotional_ai.connection import DEFAULT_TARGET
from emotional_ai.kiro import Entry, settings_file
from emotional_ai.mcp_bridge.autostart import serve_command

SILENT = CommandLine("127.0.0.1:9")
"""The command line where no service answers."""
STEPS = ["start", "initialize", "tools/list", "names", "schemas", "tools/call", "output", "stop"]
MODULE = ["-P", "-m", "emotional_ai.mcp_bridge"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["mcpServers"]["emotion_engine"]


def written(folder: Path, entry: Entry) -> Path:
    path = settings_file(folder)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"mcpServers": {"emotion_engine": entry.members()}}))
    return path


def steps(ran: Ran) -> dict[str, list[str]]:
    """Names of steps by verdict."""
    found: dict[str, list[str]] = {"OK": [], "FAIL": [], "NOTE": []}
    for line in ran.out.splitlines():
        verdict, _, rest = line.partition(" ")
        if verdict in found:
            found[verdict].append(rest.split()[0])
    return found


def test_one_command_sets_a_workspace_up_and_finds_the_engine(address: str, tmp_path: Path) -> None:
    ran = CommandLine(address)("install-kiro", "--workspace", str(tmp_path))
    path = settings_file(tmp_path)
    assert ran.status == 0
    assert ran.out.startswith(f"{path} written:\n  emotion_engine added\n")
    assert steps(ran) == {"OK": STEPS, "FAIL": [], "NOTE": ["engine"]}
    assert f"The emotion engine at {address} is up" in ran.out
    assert ran.out.endswith("Kiro can use emotion_engine\n")
    assert read(path) == {
        "command": sys.executable,
        "args": [*MODULE, "--target", address],
        "env": {},
        "disabled": False,
        "autoApprove": ["get_emotional_state", "update_emotion"],
        "disabledTools": [],
    }


def test_an_engine_that_is_down_is_a_note_with_the_command_that_starts_one(tmp_path: Path) -> None:
    ran = SILENT("install-kiro", "--workspace", str(tmp_path))
    assert ran.status == 0
    assert steps(ran)["FAIL"] == []
    (note,) = [line for line in ran.out.splitlines() if line.startswith("NOTE")]
    assert "emotional-ai serve --port 9" in note


def test_what_a_person_set_stays_and_the_second_time_nothing_is_written(address: str, tmp_path: Path) -> None:
    path = written(tmp_path, Entry("/old/python", (), {"A": "b"}, auto_approve=("engine_status",)))
    cli = CommandLine(address)
    first = cli("install-kiro", "--workspace", str(tmp_path))
    assert first.status == 0
    assert f'command was "/old/python", is now "{sys.executable}"' in first.out
    assert "NOTE  settings    autoApprove leaves out get_emotional_state, update_emotion" in first.out
    assert (read(path)["env"], read(path)["autoApprove"]) == ({"A": "b"}, ["engine_status"])
    before = path.stat()
    second = cli("install-kiro", "--workspace", str(tmp_path))
    assert second.status == 0
    assert second.out.startswith(f"{path} is left as it is: nothing differs\n")
    assert path.stat() == before


def test_flags_reach_the_bridge_and_the_check_tries_what_they_make_of_it(address: str, tmp_path: Path) -> None:
    flags = [
        "--target",
        address,
        "--session",
        "agent-7",
        "--toolsets",
        "emotion,training",
        "--autostart",
        "--read-only",
    ]
    ran = SILENT("install-kiro", "--workspace", str(tmp_path), *flags)
    assert ran.status == 0
    assert read(settings_file(tmp_path))["args"] == [*MODULE, *flags]
    checked = SILENT("install-kiro", "--check", "--workspace", str(tmp_path))
    assert checked.status == 0
    assert steps(checked)["OK"] == ["settings", *STEPS]
    assert "get_training_status" in checked.out
    assert "update_emotion" not in checked.out


def test_the_settings_of_the_user_and_the_folder_the_command_is_run_in(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    workspace.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(workspace)
    cli = CommandLine(address)
    assert cli("install-kiro", "--user").status == 0
    assert list(workspace.iterdir()) == []
    checked = cli("install-kiro", "--check")
    assert (checked.status, checked.err.rpartition(": ")[2]) == (1, "emotional-ai install-kiro\n")
    assert cli("install-kiro", "--check", "--user").status == 0
    assert cli("install-kiro").status == 0
    assert read(settings_file(workspace)) == read(settings_file(home))


def test_only_a_service_other_than_the_usual_one_is_named(tmp_path: Path) -> None:
    assert CommandLine(DEFAULT_TARGET)("install-kiro", "--workspace", str(tmp_path)).status == 0
    assert read(settings_file(tmp_path))["args"] == MODULE


def test_an_interpreter_that_is_gone_fails_and_the_renewal_keeps_the_flags(address: str, tmp_path: Path) -> None:
    path = written(
        tmp_path, Entry("/gone/bin/python", ("-m", "emotional_ai.mcp_bridge", "--session", "a", "--read-only"))
    )
    before = path.read_bytes()
    ran = SILENT("install-kiro", "--check", "--workspace", str(tmp_path))
    assert ran.status == 1
    assert steps(ran) == {"OK": ["settings"], "FAIL": ["start"], "NOTE": []}
    assert "/gone/bin/python cannot be started: No such file or directory" in ran.out
    assert ran.err.endswith(f"to renew the entry: emotional-ai install-kiro --workspace {tmp_path}\n")
    assert path.read_bytes() == before
    cli = CommandLine(address)
    assert cli("install-kiro", "--workspace", str(tmp_path), "--toolsets", "emotion,training").status == 0
    assert cli("install-kiro", "--workspace", str(tmp_path), "--no-read-only").status == 0
    assert read(path)["args"] == [*MODULE, "--target", address, "--session", "a", "--toolsets", "emotion,training"]


def test_a_workspace_whose_files_are_named_as_modules_keeps_nobody_from_starting(address: str, tmp_path: Path) -> None:
    for name in ("json", "logging", "grpc", "mcp"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the code of a workspace ran')")
    assert CommandLine(address)("install-kiro", "--workspace", str(tmp_path)).status == 0
    entry = read(settings_file(tmp_path))
    command = [entry["command"], *entry["args"]]
    started = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    serving = [*serve_command("127.0.0.1:9"), "--help"]
    helped = subprocess.run(serving, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (helped.returncode, helped.stderr) == (0, "")


def test_a_flag_the_bridge_does_not_take_fails_with_what_the_bridge_wrote(tmp_path: Path) -> None:
    written(tmp_path, Entry(sys.executable, (*MODULE, "--mood", "happy")))
    ran = SILENT("install-kiro", "--check", "--workspace", str(tmp_path))
    assert ran.status == 1
    assert steps(ran)["FAIL"] == ["initialize"]
    assert "it wrote: python -m emotional_ai.mcp_bridge: error: unrecognized arguments: --mood happy" in ran.err
    assert ran.err.endswith(f"to renew the entry: emotional-ai install-kiro --workspace {tmp_path}\n")


def test_an_entry_that_is_switched_off_is_tried_and_said_to_be_off(tmp_path: Path) -> None:
    written(tmp_path, replace(faulty("none"), disabled=True))
    ran = SILENT("install-kiro", "--check", "--workspace", str(tmp_path))
    assert ran.status == 0
    assert "disabled is true, so Kiro does not start it" in ran.out
    assert ran.out.endswith("Kiro could use emotion_engine, but it is disabled\n")


@pytest.fixture(scope="module")
def python_without_mcp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter of an environment that has what this one has, but the extra of the bridge."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for one in Path(pytest.__file__).parents[1].iterdir():
        if not one.name.startswith("mcp"):
            (packages / one.name).symlink_to(one)
    return folder / "bin" / "python"


def test_without_the_extra_nothing_is_written_and_its_installation_is_told(
    python_without_mcp: Path, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [python_without_mcp, "-m", "emotional_ai", "install-kiro", "--workspace", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "error: the bridge needs the MCP SDK; install it with: pip install 'emotional-ai[mcp]'\n"
    assert list(tmp_path.iterdir()) == []


def test_an_entry_whose_environment_lost_the_extra_fails_with_its_installation(
    python_without_mcp: Path, tmp_path: Path
) -> None:
    written(tmp_path, Entry(str(python_without_mcp), tuple(MODULE)))
    ran = SILENT("install-kiro", "--check", "--workspace", str(tmp_path))
    assert (ran.status, steps(ran)["FAIL"]) == (1, ["initialize"])
    assert "pip install 'emotional-ai[mcp]'" in ran.err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_trial_that_is_told_to_end_leaves_no_process(tmp_path: Path, number: signal.Signals, status: int) -> None:
    told = tmp_path / "pids"
    os.mkfifo(told)
    written(tmp_path, faulty("says nothing", told))
    command = [sys.executable, "-m", "emotional_ai", "install-kiro", "--check", "--workspace", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            server = int(told.read_text())  # bounded by the limit of the test
            process.send_signal(number)
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == status
    assert gone(server)
