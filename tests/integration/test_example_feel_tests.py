"""The example that lets a session feel how a command went, in a process of its own against a real service."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc import StatusCode
from loopback import PATIENCE, service
from ports import nowhere
from refusing_service import Refusal, refusing_service

from emotional_ai import Client, NotFound, Stimulus
from emotional_ai.names import signals

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "feel_tests.py"
HOOKS = ROOT / ".kiro" / "hooks"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def feel(target: str, session: str, *command: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    given = [sys.executable, str(EXAMPLE), "--target", target, "--session", session, "--", *command]
    return subprocess.run(given, input=stdin, capture_output=True, timeout=PATIENCE, check=False)


def python(code: str) -> tuple[str, str, str]:
    return sys.executable, "-c", code


def felt(client: Client, session: str) -> list[Stimulus]:
    """What happened to a session."""
    return [one.stimulus for one in client.history(session).entries if one.HasField("stimulus")]


def test_tests_that_pass_are_an_achievement_and_a_relief(address: str, client: Client) -> None:
    ran = feel(address, "passes", *python("print('1 passed')"))
    assert ran.returncode == 0
    (happened,) = felt(client, "passes")
    assert signals(happened.event) == {"achievement": 0.6, "relaxation": 0.3}
    assert happened.note == f"{shlex.join(python('print(' + repr('1 passed') + ')'))} passed"
    assert client.state("passes").valence > 0


def test_tests_that_fail_are_a_loss_and_some_anger(address: str, client: Client) -> None:
    ran = feel(address, "fails", *python("raise SystemExit(3)"))
    assert ran.returncode == 3
    (happened,) = felt(client, "fails")
    assert signals(happened.event) == {"loss": 0.6, "conflict": 0.2}
    assert happened.note.endswith(" failed with status 3")
    assert client.state("fails").valence < 0


def test_a_session_that_is_there_is_felt_in_and_not_made_again(address: str, client: Client) -> None:
    client.create_session("there")
    feel(address, "there", *python(""))
    feel(address, "there", *python("raise SystemExit(1)"))
    assert [happened.note.rsplit(" ", 1)[-1] for happened in felt(client, "there")] == ["passed", "1"]


def test_input_and_output_pass_through_untouched(address: str) -> None:
    code = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data); sys.stderr.write('said\\n')"
    given = b"\x00\xff bytes\r\n" * 100
    ran = feel(address, "passing-through", *python(code), stdin=given)
    assert ran.stdout == given
    said, told = ran.stderr.decode().splitlines()
    assert said == "said"
    assert told.startswith("feel_tests: passing-through felt achievement 0.6, relaxation 0.3: ")


def test_a_command_of_any_length_and_bytes_is_noted_within_the_limit(address: str, client: Client) -> None:
    odd = os.fsdecode(b"\xff\n") + "ä" * 400
    assert feel(address, "long", *python("raise SystemExit(7)"), odd).returncode == 7
    (happened,) = felt(client, "long")
    assert len(happened.note) == 256
    assert happened.note.endswith("... failed with status 7")


def test_without_an_engine_one_line_says_how_to_start_it_and_the_status_is_kept() -> None:
    target = nowhere()
    ran = feel(target, "default", *python("print('out'); raise SystemExit(5)"))
    assert ran.returncode == 5
    assert ran.stdout == b"out\n"
    (line,) = ran.stderr.decode().splitlines()
    port = target.rpartition(":")[2]
    assert line == (
        f"feel_tests: no engine answers at {target}, nothing is felt; start one: emotional-ai serve --port {port}"
    )


def test_what_the_service_refuses_is_told_in_a_line_and_the_status_is_kept(address: str) -> None:
    ran = feel(address, "x" * 200, *python("raise SystemExit(4)"))
    assert ran.returncode == 4
    (line,) = ran.stderr.decode().splitlines()
    assert line.startswith("feel_tests: nothing is felt: ")
    assert "session_id" in line


def test_a_service_that_does_not_answer_in_time_may_have_been_heard_and_the_status_is_kept() -> None:
    with refusing_service(Refusal(StatusCode.DEADLINE_EXCEEDED)) as slow:
        ran = feel(slow, "ada", *python("raise SystemExit(6)"))
    assert ran.returncode == 6
    (line,) = ran.stderr.decode().splitlines()
    assert line == f"feel_tests: {slow} did not answer within 5 s; ada may have felt it all the same"


def test_an_interruption_while_the_service_is_told_keeps_the_status() -> None:
    hanging = Refusal(None)
    with refusing_service(hanging) as silent:
        given = [sys.executable, str(EXAMPLE), "--target", silent, "--session", "ada", "--"]
        with subprocess.Popen([*given, *python("raise SystemExit(6)")], stderr=subprocess.PIPE, text=True) as process:
            try:
                assert hanging.called.wait(PATIENCE)
                process.send_signal(signal.SIGINT)
                _, complaints = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
    assert process.returncode == 6
    assert complaints == "feel_tests: interrupted while ada was told; it may have felt it all the same\n"


def test_a_crash_of_the_command_is_a_failure(address: str, client: Client) -> None:
    ran = feel(address, "crashes", *python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert ran.returncode == 128 + signal.SIGKILL
    assert felt(client, "crashes")[0].note.endswith("failed with status 137")


@pytest.mark.parametrize(
    ("command", "status"),
    [("no-such-command-here", 127), (str(ROOT / "README.md"), 126)],
    ids=["missing", "no program"],
)
def test_a_command_that_cannot_be_run_is_named_and_nothing_is_felt(
    address: str, client: Client, command: str, status: int
) -> None:
    ran = feel(address, "cannot", command)
    assert ran.returncode == status
    assert command in ran.stderr.decode()
    with pytest.raises(NotFound):
        client.get_session("cannot")


def test_a_missing_command_is_asked_for(address: str) -> None:
    for arguments in ([], ["--"], ["pytest"]):
        ran = subprocess.run(
            [sys.executable, str(EXAMPLE), *arguments], capture_output=True, timeout=PATIENCE, check=False
        )
        assert ran.returncode == 2
        assert b"usage: feel_tests.py [--session ID] [--target HOST:PORT] -- COMMAND..." in ran.stderr


WAITS = (
    "import os, signal, sys\n"
    "def ended(number, _):\n    os.write(1, f'got {number}\\n'.encode()); sys.exit(9)\n"
    "signal.signal(signal.SIGINT, ended); signal.signal(signal.SIGTERM, ended)\n"
    "print('ready', flush=True)\n"
    "signal.pause()\n"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["as a terminal does", "to the example alone"])
def test_an_interruption_reaches_the_command_once_and_nothing_is_felt(
    address: str, client: Client, number: signal.Signals
) -> None:
    given = [sys.executable, str(EXAMPLE), "--target", address, "--session", "interrupted", "--", *python(WAITS)]
    with subprocess.Popen(
        given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            if number == signal.SIGINT:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            out, complaints = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert out == f"got {int(number)}\n"
    assert process.returncode == 9
    assert complaints == "feel_tests: the command was interrupted; nothing is felt\n"
    with pytest.raises(NotFound):
        client.get_session("interrupted")


def test_both_forms_of_the_hook_run_the_example_when_a_person_asks_for_it() -> None:
    old = json.loads((HOOKS / "tests-move-the-mood.kiro.hook").read_text(encoding="utf-8"))
    assert list(old) == ["enabled", "name", "description", "version", "when", "then"]
    assert old["when"] == {"type": "userTriggered"}
    assert set(old["then"]) == {"type", "command", "timeout"}
    assert old["then"]["type"] == "runCommand"
    new = json.loads((HOOKS / "tests-move-the-mood.json").read_text(encoding="utf-8"))
    assert list(new) == ["version", "hooks"]
    assert new["version"] == "v1"
    (hook,) = new["hooks"]
    assert hook["trigger"] == "Manual"
    assert hook["action"] == {"type": "command", "command": old["then"]["command"]}
    assert (hook["name"], hook["timeout"], hook["enabled"]) == (old["name"], old["then"]["timeout"], old["enabled"])
    interpreter, program, *_ = hook["action"]["command"].split()
    assert (interpreter, ROOT / program) == (".venv/bin/python", EXAMPLE)


def test_the_command_of_the_hook_is_one_the_example_takes(address: str, client: Client) -> None:
    (hook,) = json.loads((HOOKS / "tests-move-the-mood.json").read_text(encoding="utf-8"))["hooks"]
    _, program, *arguments = shlex.split(hook["action"]["command"])
    at = arguments.index("--")
    tests = [sys.executable, "-m", "pytest", *arguments[at + 2 :], "--collect-only"]
    assert arguments[at + 1] == ".venv/bin/pytest"
    ran = subprocess.run(
        [sys.executable, program, *arguments[:at], "--target", address, "--session", "hooked", "--", *tests],
        input=b"{}",
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert felt(client, "hooked")[0].note.endswith("passed")
