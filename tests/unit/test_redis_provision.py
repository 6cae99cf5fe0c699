"""What `make test` does about a redis-server: nothing where there is one, and words where there can be none."""

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "redis" / "install.sh"


def provided(path: Path) -> "subprocess.CompletedProcess[str]":
    """Runs the script with the programs of a folder alone."""
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)], env={"PATH": str(path)}, capture_output=True, text=True, timeout=30, check=False
    )


def program(folder: Path, name: str, body: str = "") -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def test_where_a_server_is_there_nothing_is_done(tmp_path: Path) -> None:
    program(tmp_path, "redis-server")
    program(tmp_path, "apt-get", "echo never; exit 1")
    done = provided(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_where_none_can_be_installed_the_reason_is_told_and_the_tests_go_on(tmp_path: Path) -> None:
    without_apt = provided(tmp_path)
    program(tmp_path, "apt-get", "exit 100")
    program(tmp_path, "id", "echo 1000")
    not_root = provided(tmp_path)
    program(tmp_path, "id", "echo 0")
    without_network = provided(tmp_path)
    for done, reason in (
        (without_apt, "no apt-get"),
        (not_root, "sudo apt-get install redis-server"),
        (without_network, "could not be installed"),
    ):
        assert done.returncode == 0
        assert reason in done.stderr
        assert "are skipped" in done.stderr


def test_where_root_may_it_is_installed_without_starting_one_for_the_machine(tmp_path: Path) -> None:
    program(tmp_path, "id", "echo 0")
    program(tmp_path, "apt-get", f'echo "$RUNLEVEL $*" >> {tmp_path}/asked')
    assert provided(tmp_path).returncode == 0
    assert (tmp_path / "asked").read_text().splitlines()[-1].startswith("1 install")
